package chromium

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// Tone writes a WAV file of ten seconds of a sine that comes and goes as a voice does,
// 0.4 s of each 0.5 s: what never changes is noise to a browser, which takes it away.
func Tone(tb testing.TB, file string, hz float64) {
	tb.Helper()
	const rate, seconds = 48000, 10
	var w bytes.Buffer
	w.WriteString("RIFF")
	size := uint32(rate * seconds * 2)
	for _, v := range []any{size + 36, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate * 2), uint16(2), uint16(16), []byte("data"), size} {
		_ = binary.Write(&w, binary.LittleEndian, v) // memory
	}
	for i := range rate * seconds {
		at := float64(i) / rate
		loud := 0.5
		if in := math.Mod(at, 0.5); in > 0.4 {
			loud = 0
		} else {
			loud *= math.Min(1, math.Min(in, 0.4-in)/0.005) // no clicks
		}
		_ = binary.Write(&w, binary.LittleEndian, int16(32767*loud*math.Sin(2*math.Pi*hz*at)))
	}
	if err := os.WriteFile(file, w.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
}
