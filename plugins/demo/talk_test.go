package demo

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// sine is one second of L16 at half of full scale.
func sine(rate int) []byte {
	var b []byte
	for i := range rate {
		b = binary.BigEndian.AppendUint16(b, uint16(int16(16384*math.Sin(2*math.Pi*300*float64(i)/float64(rate)))))
	}
	return b
}

func TestTheNoteSaysWhatWasHeardForAWhile(t *testing.T) {
	var m talkMeter
	now := time.Now()
	if got := m.note(now); got != "" {
		t.Errorf("before any talk: %q", got)
	}
	m.begin(sdk.TalkRequest{Talker: "anna", Track: av.Track{Codec: av.L16}})
	m.hear(av.Track{Codec: av.L16, SampleRate: 16000}, sine(16000))
	if got, want := m.note(now), "heard 1.0 s, level -9 dB"; got != want {
		t.Errorf("while it is talked: %q, want %q", got, want)
	}
	m.end()
	if m.note(now.Add(time.Second)) == "" {
		t.Error("gone too soon")
	}
	if got := m.note(now.Add(time.Minute)); got != "" {
		t.Errorf("a minute later: %q", got)
	}
	m.begin(sdk.TalkRequest{})
	m.hear(av.Track{Codec: av.Opus, SampleRate: 48000}, []byte{31 << 3})
	if got, want := m.note(now), "heard 0.0 s, level not known (opus)"; got != want {
		t.Errorf("Opus: %q, want %q", got, want)
	}
}
