package rtpout

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const testFPS = 25

// film is H.264 of ffmpeg, a unit a picture.
type film struct {
	track av.Track
	units []*av.Unit
	raw   []byte
}

var films sync.Map // by size: made once a run

func makeFilm(t testing.TB, size string, seconds, gop, kbps string) film {
	t.Helper()
	name := size + "/" + seconds + "/" + gop + "/" + kbps
	if f, ok := films.Load(name); ok {
		return f.(film)
	}
	bin, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg")
	}
	cmd := exec.CommandContext(t.Context(), bin, "-v", "error", "-f", "lavfi", "-i", "testsrc2=size="+size+":rate=25:duration="+seconds,
		"-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-bf", "0", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
		"-b:v", kbps+"k", "-maxrate", kbps+"k", "-bufsize", kbps+"k", "-x264-params", "aud=1:threads=1:sliced-threads=0", "-f", "h264", "-")
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	f := film{raw: raw}
	var one []byte
	flush := func() {
		if len(one) == 0 {
			return
		}
		p := av.H264FromAnnexB(one)
		if p.SPS != nil && f.track.SPS == nil {
			if f.track, err = av.H264Track(1, p.SPS, p.PPS); err != nil {
				t.Fatal(err)
			}
			f.track.Generation = 1
		}
		n := int64(len(f.units))
		f.units = append(f.units, &av.Unit{Track: 1, Key: p.Key, PTS: n * 90000 / testFPS, DTS: n * 90000 / testFPS, Generation: 1, Data: p.Data})
		one = nil
	}
	for _, nal := range av.SplitAnnexB(raw) {
		if nal[0]&0x1f == 9 {
			flush()
		}
		one = append(append(one, 0, 0, 0, 1), nal...)
	}
	flush()
	films.Store(name, f)
	return f
}

func sine(hz float64, rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(0.5 * math.MaxInt16 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return out
}

// strength is the mean square of hz in pcm and of all of it (Goertzel).
func strength(pcm []int16, rate int, hz float64) (at, all float64) {
	w := 2 * math.Cos(2*math.Pi*hz/float64(rate))
	var a, b float64
	for _, s := range pcm {
		v := float64(s) / math.MaxInt16
		a, b = v+w*a-b, a
		all += v * v
	}
	n := float64(len(pcm))
	return 2 * (a*a + b*b - w*a*b) / n / n, all / n
}

// tone is Opus of 20 ms a unit.
func tone(t testing.TB, hz float64, rate int, d time.Duration) (av.Track, []*av.Unit) {
	t.Helper()
	enc, err := sound.NewEncoder(2, av.AudioRendition{Codec: av.Opus, SampleRate: rate, Channels: 1, Kbps: 24}, rate)
	if err != nil {
		t.Fatal(err)
	}
	pcm := sine(hz, enc.Rate(), int(int64(d)*int64(enc.Rate())/int64(time.Second)))
	var out []*av.Unit
	for i := 0; i+enc.Frame() <= len(pcm); i += enc.Frame() {
		b, err := enc.Encode(pcm[i : i+enc.Frame()])
		if err != nil {
			t.Fatal(err)
		}
		pts := int64(len(out)) * 960
		out = append(out, &av.Unit{Track: 2, Key: true, PTS: pts, DTS: pts, Generation: 1, Data: slices.Clone(b)})
	}
	track := av.OpusTrack(2, 1)
	track.Generation = 1
	return track, out
}

// reel plays units as they become due; what is due already comes at once.
type reel struct {
	tracks []av.Track
	units  []*av.Unit
	zero   time.Time // when position 0 was captured
	i      int
	closed chan struct{}
	once   sync.Once
	end    error // after the last one; nil: waits
}

// newReel has played for back already.
func newReel(back time.Duration, tracks []av.Track, lists ...[]*av.Unit) *reel {
	r := &reel{tracks: tracks, zero: time.Now().Add(-back), closed: make(chan struct{})}
	for _, l := range lists {
		for _, u := range l {
			c := *u
			r.units = append(r.units, &c)
		}
	}
	slices.SortStableFunc(r.units, func(a, b *av.Unit) int { return int(r.pos(a) - r.pos(b)) })
	return r
}

func (r *reel) pos(u *av.Unit) time.Duration {
	t, _ := r.Track(u.Track)
	return t.Duration(u.PTS)
}

// from is the same reel from its newest key frame.
func (r *reel) from() *reel {
	n := &reel{tracks: r.tracks, units: r.units, zero: r.zero, closed: make(chan struct{}), end: r.end}
	for i, u := range r.units {
		if u.Track == 1 && u.Key && !r.zero.Add(r.pos(u)).After(time.Now()) {
			n.i = i
		}
	}
	return n
}

func (r *reel) Next(ctx context.Context) (*av.Unit, error) {
	if r.i == len(r.units) {
		if r.end != nil {
			return nil, r.end
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.closed:
			return nil, io.ErrClosedPipe
		}
	}
	u := r.units[r.i]
	at := r.zero.Add(r.pos(u))
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closed:
		return nil, io.ErrClosedPipe
	}
	r.i++
	c := *u
	c.Wall = at
	return &c, nil
}

func (r *reel) Track(id uint8) (av.Track, bool) {
	for _, t := range r.tracks {
		if t.ID == id {
			return t, true
		}
	}
	return av.Track{}, false
}

func (r *reel) Rendition() string { return "copy" }

func (r *reel) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

var errAway = errors.New("the camera is away")

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
