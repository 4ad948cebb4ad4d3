package rtsp

import (
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/units"
)

// TestFit: the time of taking follows the least delay, and a camera's clock that runs fast,
// without a step that anybody could see.
func TestFit(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const drift = 1 + 100e-6 // a cheap quartz
	var f fit
	var last time.Time
	x := uint32(7)
	for i := range 25 * 3600 {
		real := time.Duration(i) * 40 * time.Millisecond
		pts := time.Duration(float64(real) * drift)
		x = x*1664525 + 1013904223
		delay := time.Duration(x>>24) * time.Millisecond // up to 255 ms
		got := f.place(pts, began.Add(real+delay))
		if i > 25*10 {
			if step := got.Sub(last); step < 39*time.Millisecond || step > 41*time.Millisecond {
				t.Fatalf("picture %d is %v after the one before", i, step)
			}
			if off := got.Sub(began.Add(real)); off < -20*time.Millisecond || off > 60*time.Millisecond {
				t.Fatalf("picture %d is %v beside the truth", i, off)
			}
		}
		last = got
	}
	// The camera's clock is set: the fit begins anew.
	if got := f.place(-time.Hour, last.Add(time.Second)); !got.Equal(last.Add(time.Second)) {
		t.Errorf("after a jump %v, want %v", got, last.Add(time.Second))
	}
}

// TestAlign: sound that came late is moved beside its picture by sender reports, slowly;
// reports that cannot be true are not believed.
func TestAlign(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name string
		lie  time.Duration
		want time.Duration // of sound beside the picture, at the end
	}{
		{"true reports", 0, 0},
		{"clocks that have nothing to do with one another", time.Hour, 500 * time.Millisecond},
	} {
		var l line
		video := l.lane(av.Track{ID: 1, Kind: av.Video, ClockRate: 90000}, true)
		sound := l.lane(av.Track{ID: 2, Kind: av.Sound, ClockRate: 8000}, false)
		var apart, before time.Duration
		for i := range 3000 {
			real := time.Duration(i) * 20 * time.Millisecond
			at := began.Add(real)
			v := &av.Unit{PTS: 7000 + av.Ticks(real, 90000)}
			l.place(video, v, at)
			a := &av.Unit{PTS: 900 + av.Ticks(real, 8000)} // taken with v, and half a second on its way
			l.place(sound, a, at.Add(500*time.Millisecond))
			apart = sound.track.Duration(a.PTS) - video.track.Duration(v.PTS)
			if d := before - apart; i > 0 && (d > 10*time.Millisecond || d < -10*time.Millisecond) {
				t.Fatalf("%s: sound leaps by %v", c.name, d)
			}
			before = apart
			if i%250 == 100 {
				video.report(units.Report{Wall: at, NTP: 1 << 40}, 7000+av.Ticks(real, 90000))
				sound.report(units.Report{Wall: at.Add(c.lie), NTP: 1 << 40}, 900+av.Ticks(real, 8000))
			}
		}
		if d := apart - c.want; d > 2*time.Millisecond || d < -2*time.Millisecond {
			t.Errorf("%s: sound is %v beside the picture, want %v", c.name, apart, c.want)
		}
	}
}
