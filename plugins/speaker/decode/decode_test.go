package decode

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// makeWAV writes frames of a 1 kHz tone at half of full scale.
func makeWAV(rate, channels, bits, frames int) []byte {
	var data []byte
	for i := range frames {
		v := 0.5 * math.Sin(2*math.Pi*1000*float64(i)/float64(rate))
		for range channels {
			switch bits {
			case 8:
				data = append(data, byte(128+127*v))
			case 16:
				data = binary.LittleEndian.AppendUint16(data, uint16(int16(32767*v)))
			case 32:
				data = binary.LittleEndian.AppendUint32(data, uint32(int32(math.MaxInt32*v)))
			}
		}
	}
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+len(data)))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// pitch counts the upward crossings of zero a second, on the left, in the middle of the clip.
func pitch(c Clip) float64 {
	c = c[len(c)/4/Channels*Channels : len(c)*3/4/Channels*Channels]
	n, first, last := 0, 0, 0
	for i := Channels; i < len(c); i += Channels {
		if c[i-Channels] < 0 && c[i] >= 0 {
			if n == 0 {
				first = i
			}
			n, last = n+1, i
		}
	}
	if n < 2 {
		return 0
	}
	return float64(n-1) * Rate * Channels / float64(last-first)
}

func TestATonePlaysAtItsPitchAndLength(t *testing.T) {
	files := map[string][]byte{
		"8 bit, 8 kHz":       makeWAV(8000, 1, 8, 1600),
		"16 bit, 44.1 kHz":   makeWAV(44100, 2, 16, 8820),
		"32 bit, 96 kHz":     makeWAV(96000, 1, 32, 19200),
		"16 bit, 6 channels": makeWAV(48000, 6, 16, 9600),
	}
	long := map[string]time.Duration{}
	for name := range files {
		long[name] = 200 * time.Millisecond
	}
	for _, f := range []string{"tone.mp3", "tone.ogg", "tone24.wav", "tonef.wav"} {
		b, err := os.ReadFile(filepath.Join("testdata", f))
		if err != nil {
			t.Fatal(err)
		}
		files[f], long[f] = b, 400*time.Millisecond
		if strings.HasSuffix(f, ".wav") {
			long[f] = 200 * time.Millisecond
		}
	}
	for name, b := range files {
		c, err := Bytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if hz := pitch(c); math.Abs(hz-1000) > 5 {
			t.Errorf("%s: %.1f Hz, want 1000", name, hz)
		}
		// MP3 pads to whole frames, at both ends.
		if d := c.Length() - long[name]; d < -time.Millisecond || d > 130*time.Millisecond {
			t.Errorf("%s: %s long, want %s", name, c.Length(), long[name])
		}
	}
}

func TestWhatIsNoChimeIsRefusedWithAReason(t *testing.T) {
	good := makeWAV(48000, 1, 16, 100)
	opus, err := os.ReadFile("testdata/tone_opus.ogg")
	if err != nil {
		t.Fatal(err)
	}
	adpcm := append([]byte{}, good...)
	adpcm[20] = 2
	slow := append([]byte{}, good...)
	binary.LittleEndian.PutUint32(slow[24:], 100)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":         {nil, "empty"},
		"text":          {[]byte("ding dong"), "neither WAV nor"},
		"AVI":           {append([]byte("RIFF\x00\x00\x00\x00AVI "), good[12:]...), "no WAVE"},
		"no sound":      {good[:36], "no sound"},
		"no samples":    {good[:44], "no sound"},
		"cut off":       {good[:25], "cut off"},
		"ADPCM":         {adpcm, "not understood"},
		"100 Hz":        {slow, "samples a second"},
		"too long":      {makeWAV(8000, 1, 8, 8000*31), "longer than 30s"},
		"Opus":          {opus, "ogg"},
		"half an Ogg":   {[]byte("OggS\x00\x02"), "ogg"},
		"broken MP3":    {[]byte("\xff\xfb\x00\x00 and no more"), "mp3"},
		"over 10 MiB":   {make([]byte, MaxFile+1), "at most"},
		"data, no fmt ": {[]byte("RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00"), "before its format"},
	} {
		if _, err := Bytes(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestFilesAreRefusedWithAHint(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.wav")
	if err := os.WriteFile(big, make([]byte, MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text.mp3")
	if err := os.WriteFile(text, []byte("no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"chime.wav": "absolute", filepath.Join(dir, "none.wav"): "no such file", dir: "regular", big: "at most 10", text: "neither",
	} {
		_, err := File(path)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.Hint() == "" || e.Code() != "E-SPK-FILE" {
			t.Errorf("%s: %v, want %q and a hint", path, err, want)
		}
	}
	good := filepath.Join(dir, "good.wav")
	if err := os.WriteFile(good, makeWAV(48000, 1, 16, 4800), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := File(good); err != nil || c.Length() != 100*time.Millisecond {
		t.Errorf("good file: %s, %v", c.Length(), err)
	}
}

func TestIsFile(t *testing.T) {
	for name, want := range map[string]bool{"ding_dong": false, "chime.WAV": true, "/x/y": true, "a.ogg": true, "gong": false, "": false} {
		if IsFile(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestLevelsStayInBounds(t *testing.T) {
	b := makeWAV(48000, 1, 32, 8)
	b[20] = wavFloat
	for i, bits := range []uint32{0x7fc00000, 0x7f800000, 0xff800000, 0x501502f9} { // NaN, +Inf, -Inf, 1e10
		binary.LittleEndian.PutUint32(b[44+4*i:], bits)
	}
	c, err := Bytes(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range c {
		if !(v >= -1 && v <= 1) {
			t.Errorf("sample %d: %v", i, v)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add(makeWAV(8000, 2, 16, 20))
	f.Add(makeWAV(44100, 1, 8, 20))
	for _, n := range []string{"tone.mp3", "tone.ogg", "tone24.wav", "tonef.wav", "tone_opus.ogg"} {
		b, err := os.ReadFile(filepath.Join("testdata", n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Bytes(b)
		if err != nil {
			if c != nil {
				t.Fatal("a clip and an error")
			}
			return
		}
		if len(c) == 0 || len(c)%Channels != 0 || c.Length() > MaxTime+time.Second {
			t.Fatalf("a clip of %d samples", len(c))
		}
		for _, v := range c {
			if !(v >= -1 && v <= 1) {
				t.Fatal("a sample outside of full scale")
			}
		}
	})
}
