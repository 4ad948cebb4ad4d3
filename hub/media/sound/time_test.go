package sound

import (
	"runtime"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func g711To(t testing.TB, to av.AudioRendition) *Transcoder {
	t.Helper()
	tr, err := New(av.PCMTrack(2, av.PCMU, 8000, 1), to)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func convert(t *testing.T, tr *Transcoder, u *av.Unit) []*av.Unit {
	t.Helper()
	out, err := tr.Convert(u)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An hour ends where it should, to the tick, and so do minutes from a rate that does not
// divide, which are only slower to prove.
func TestTimeDoesNotDrift(t *testing.T) {
	for _, c := range []struct {
		from   av.Track
		to     av.AudioRendition
		length time.Duration
	}{
		{av.PCMTrack(2, av.PCMU, 8000, 1), av.AudioRendition{Codec: av.PCMA}, time.Hour},
		{av.PCMTrack(2, av.L16, 4410, 1), av.AudioRendition{Codec: av.L16, SampleRate: 4000}, 3 * time.Minute},
	} {
		tr, err := New(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		piece := int64(c.from.SampleRate / 10)
		data := make([]byte, piece)
		if c.from.Codec == av.L16 {
			data = make([]byte, 2*piece)
		}
		var last *av.Unit
		for i := range int64(c.length / (100 * time.Millisecond)) {
			for _, u := range convert(t, tr, &av.Unit{Track: 2, PTS: 1<<33 + i*piece, DTS: 1<<33 + i*piece, Data: data}) {
				if last != nil && (u.PTS-last.PTS != tr.Track().Ticks(20*time.Millisecond) || u.Discontinuity) {
					t.Fatalf("%d ticks after the one before, discontinuity %v", u.PTS-last.PTS, u.Discontinuity)
				}
				last = u
			}
		}
		end := tr.Track().Duration(last.PTS) + 20*time.Millisecond
		want := c.from.Duration(1<<33) + c.length
		if d := end - want; d < -25*time.Millisecond || d > 25*time.Millisecond {
			t.Errorf("%v ended %v off", c.length, d)
		}
	}
	if n := runtime.NumGoroutine(); n > 10 {
		t.Errorf("%d goroutines", n)
	}
}

// A stamp that shakes moves little; a hole is silence, of one packet too; a jump and a
// discontinuity begin anew and say so.
func TestHolesAndJumps(t *testing.T) {
	for _, to := range []av.AudioRendition{{Codec: av.Opus}, {Codec: av.PCMA}, {Codec: av.L16, SampleRate: 16000}} {
		tr := g711To(t, to)
		at, n := int64(5000), 0
		data := make([]byte, 160)
		for i := range data {
			data[i] = muCode(int16(4000 * (i%2*2 - 1)))
		}
		put := func(stray time.Duration, broken bool) (got []*av.Unit) {
			pts := at + av.Ticks(stray, 8000)
			got = convert(t, tr, &av.Unit{Track: 2, PTS: pts, DTS: pts, Data: data, Discontinuity: broken})
			at += 160
			n += len(got)
			return got
		}
		var all []*av.Unit
		for i := range 50 {
			all = append(all, put(time.Duration((i*2+2)%5-2)*20*time.Millisecond, false)...)
		}
		for range 5 { // a packet now and then
			at += 160
			for range 9 {
				all = append(all, put(0, false)...)
			}
		}
		at += 8000 / 2 // half a second is lost
		for range 50 {
			all = append(all, put(0, false)...)
		}
		follows(t, tr.Track(), all)
		if d := tr.Track().Duration(all[len(all)-1].PTS-all[0].PTS) + 20*time.Millisecond; d < 3450*time.Millisecond || d > 3550*time.Millisecond {
			t.Errorf("%s: 3 s and a hole of half a second became %v", to.Codec, d)
		}
		for i, broken := range []bool{false, true, false} {
			switch i {
			case 0:
				at += 8000 * 100
			case 2:
				at -= 8000 * 300
			}
			first := put(0, broken)
			for len(first) == 0 {
				first = put(0, false)
			}
			if !first[0].Discontinuity {
				t.Errorf("%s: jump %d is not said", to.Codec, i)
			}
			if more := append(put(0, false), put(0, false)...); len(more) == 0 || more[0].Discontinuity {
				t.Errorf("%s: after jump %d: %d pieces", to.Codec, i, len(more))
			}
		}
	}
}

// A sender whose clock is fast gives more samples than time: no more than surplus of
// them are ahead.
func TestMoreSamplesThanTime(t *testing.T) {
	tr := g711To(t, av.AudioRendition{Codec: av.L16, SampleRate: 8000})
	data := make([]byte, 164) // 20.5 ms in 20
	var last *av.Unit
	for i := range int64(2000) {
		for _, u := range convert(t, tr, &av.Unit{Track: 2, PTS: i * 160, DTS: i * 160, Data: data}) {
			last = u
		}
	}
	if d := av.Duration(last.PTS, 8000) - 40*time.Second; d > 100*time.Millisecond || d < -100*time.Millisecond {
		t.Errorf("%v ahead", d)
	}
}

// Each piece costs what it carries and little more, whatever came before.
func TestAllocations(t *testing.T) {
	tr := g711To(t, av.AudioRendition{Codec: av.L16, SampleRate: 16000})
	u := &av.Unit{Track: 2, Data: make([]byte, 160)}
	for range 10 {
		convert(t, tr, u)
		u.PTS += 160
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := tr.Convert(u); err != nil {
			t.Fatal(err)
		}
		u.PTS += 160
	}); n > 4 {
		t.Errorf("%.0f allocations a unit", n)
	}
}
