package mse

import (
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestPicturesGoAtOnce: no picture but the first waits for the next one, however uneven
// they come, and our time neither runs away from the source's nor has a hole.
func TestPicturesGoAtOnce(t *testing.T) {
	m := &mux{feed: newFeed(), how: media.Copy, needKey: true}
	track := still(t)
	m.begin(1, []av.Track{track})
	m.needKey = true
	step := int64(track.ClockRate) / 15
	dts, first := int64(5000), int64(5000)
	for i := range 200 {
		switch {
		case i == 100: // two pictures are missing in the source
			dts += 3 * step
		case i > 0 && i < 150: // they come unevenly
			dts += step + int64(i%3-1)*step/3
		case i > 0:
			dts += step
		}
		m.unit(&av.Unit{Track: 1, Key: i%15 == 0, PTS: dts, DTS: dts, Data: make([]byte, 100)})
		if want := uint32(i + 1); i > 0 && m.seq != want {
			t.Fatalf("%d of %d pictures are out", m.seq, want)
		}
		if i > 0 && m.end+m.owed != dts-first+m.given { // the part that is not known yet is in given
			t.Fatalf("picture %d: our time ends at %d and %d is owed; the source is at %d", i, m.end, m.owed, dts-first)
		}
	}
	if m.owed != 0 {
		t.Errorf("after fifty even pictures %d ticks are still owed", m.owed)
	}
}
