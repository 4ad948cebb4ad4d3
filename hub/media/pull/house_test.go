package pull

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// dial is one call of Pull.
type dial struct {
	url string
	at  time.Duration // since the house began
}

// house is a puller whose cameras are functions, in a bubble's time.
type house struct {
	t     *testing.T
	core  *media.Core
	p     *Puller
	began time.Time
	logs  *strings.Builder

	mu      sync.Mutex
	dials   []dial
	open    map[string]int // connections now, by path of the URL
	most    int            // of one path at a time
	cameras map[string]script
	asked   []string // cameras whose plugin was asked again
	again   func(camera, why string)
}

// script is what a camera does with its nth connection, the first of them 0.
type script func(ctx context.Context, n int, t rtsp.Target, s rtsp.Sink) error

func newHouse(t *testing.T) *house {
	h := &house{t: t, core: media.New(media.Limits{}), began: time.Now(), open: map[string]int{}, cameras: map[string]script{}, logs: &strings.Builder{}}
	h.p = New(Options{Core: h.core, Pull: h.pull, Log: slog.New(slog.NewTextHandler(&locked{h: h}, nil)), Redescribe: func(camera, why string) {
		h.mu.Lock()
		h.asked = append(h.asked, camera)
		again := h.again
		h.mu.Unlock()
		if again != nil {
			again(camera, why)
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.p.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return h
}

// locked keeps what is logged.
type locked struct{ h *house }

func (l *locked) Write(b []byte) (int, error) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	return l.h.logs.Write(b)
}

func (h *house) pull(ctx context.Context, t rtsp.Target, s rtsp.Sink, o rtsp.Options) error {
	h.mu.Lock()
	n := len(h.of(t.URL))
	h.dials = append(h.dials, dial{t.URL, time.Since(h.began)})
	path := t.URL[strings.LastIndex(t.URL, "/"):]
	h.open[path]++
	h.most = max(h.most, h.open[path])
	sc := h.cameras[t.URL]
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open[path]--
	}()
	if sc == nil {
		return &rtsp.Fault{Kind: rtsp.Unreachable, Act: "dial", Why: "no route to host"}
	}
	return sc(ctx, n, t, s)
}

// of are the times of the dials of url; h is locked.
func (h *house) of(url string) []time.Duration {
	var out []time.Duration
	for _, d := range h.dials {
		if d.url == url {
			out = append(out, d.at)
		}
	}
	return out
}

func (h *house) times(url string) []time.Duration {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of(url)
}

// camera with one stream, main, at a path of its id.
func (h *house) camera(id string, s script) Camera {
	url := "rtsp://192.0.2.1/" + id
	h.put(url, s)
	return Camera{ID: id, Doorbell: true, Streams: []Stream{{Name: "main", Target: rtsp.Target{URL: url, Username: id, Password: "p@:/#"}}}}
}

func (h *house) put(url string, s script) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cameras[url] = s
}

func (h *house) status(camera, stream string) Status {
	h.t.Helper()
	synctest.Wait()
	for _, st := range h.p.Status() {
		if st.Camera == camera && st.Stream == stream {
			return st
		}
	}
	h.t.Fatalf("no status of %s/%s in %+v", camera, stream, h.p.Status())
	return Status{}
}

func (h *house) state(camera, want string) {
	h.t.Helper()
	if st := h.status(camera, "main"); st.State != want {
		h.t.Fatalf("%s is %s (%s), want %s, after %v", camera, st.State, st.Reason, want, time.Since(h.began))
	}
}

// film is what a camera sends.
type film struct {
	fps   int           // 10
	gop   time.Duration // 2 s
	size  int
	long  time.Duration // then it fails with end; 0: for ever
	keys  int           // no more than so many key frames; 0: no limit
	end   error
	sound bool
}

func (f film) tracks() []av.Track {
	tr := []av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, FPS: 10, SPS: []byte{0x67, 0x4d, 0x40, 0x1f}}}
	if f.sound {
		tr = append(tr, av.PCMTrack(2, av.PCMU, 8000, 1))
	}
	return tr
}

func (f film) play(ctx context.Context, _ int, _ rtsp.Target, s rtsp.Sink) error {
	if f.fps == 0 {
		f.fps = 10
	}
	if f.gop == 0 {
		f.gop = 2 * time.Second
	}
	if err := s.Begin(f.tracks()); err != nil {
		return err
	}
	step := time.Second / time.Duration(f.fps)
	every := int(f.gop / step)
	keys := 0
	tick := time.NewTicker(step)
	defer tick.Stop()
	for i := 0; f.long == 0 || time.Duration(i)*step < f.long; i++ {
		key := i%every == 0 && (f.keys == 0 || keys < f.keys)
		if key {
			keys++
		}
		u := &av.Unit{Track: 1, Key: key, PTS: int64(i) * 90000 / int64(f.fps), DTS: int64(i) * 90000 / int64(f.fps), Data: make([]byte, max(1, f.size))}
		if err := s.Put(u); err != nil {
			return &rtsp.Fault{Kind: rtsp.Sunk, Act: "put", Why: err.Error()}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.end
}

func fails(k rtsp.Kind) script {
	return func(context.Context, int, rtsp.Target, rtsp.Sink) error {
		return &rtsp.Fault{Kind: k, Act: "dial", Why: string(k)}
	}
}

// near checks that the waits between dials are the ladder's, 20 % more or less.
func near(t *testing.T, times []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(times) != len(want)+1 {
		t.Fatalf("%d dials, want %d: %v", len(times), len(want)+1, times)
	}
	for i, w := range want {
		got := times[i+1] - times[i]
		if got < w*8/10 || got > w*12/10 {
			t.Errorf("wait %d: %v, want %v ± 20 %%", i, got, w)
		}
	}
}

func sleepUntil(h *house, at time.Duration) {
	time.Sleep(at - time.Since(h.began))
	synctest.Wait()
}

func seconds(s ...float64) []time.Duration {
	var out []time.Duration
	for _, x := range s {
		out = append(out, time.Duration(x*float64(time.Second)))
	}
	return out
}

func read(h *house, camera, stream string) *media.Reader {
	return h.core.Stream(camera, stream).Read(av.Start{From: av.FromKeyFrame})
}

func contains(h *house, text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.logs.String(), text) || slices.ContainsFunc(h.p.Status(), func(s Status) bool {
		return strings.Contains(fmt.Sprintf("%+v", s), text)
	})
}
