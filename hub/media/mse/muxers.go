package mse

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// stalled: a source that lives but sends nothing for so long is shown as offline.
const stalled = 5 * time.Second

// ErrClosed: the hub is going down.
var ErrClosed = errors.New("live pictures: closed")

// Renditions makes the forms that a stream has not.
type Renditions interface {
	Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error)
}

// Muxers packs the streams that are being watched.
type Muxers struct {
	core       *media.Core
	renditions Renditions // nil: only what streams have
	log        *slog.Logger

	ctx    context.Context // ends with Close; the muxes hang on it, viewers come and go
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	shared map[key]*shared
}

// key names what viewers can share.
type key struct {
	camera, stream string
	sound          av.Codec // that is played at most; empty: none
	h264           bool     // no other picture is played
}

// asked is the key of a request. AAC is played by all.
func asked(q url.Values, camera, stream string) key {
	k := key{camera: camera, stream: stream, sound: av.AAC, h264: q.Get("video") == string(av.H264)}
	switch q.Get("sound") {
	case "none":
		k.sound = ""
	case string(av.Opus):
		k.sound = av.Opus
	}
	return k
}

// shared is a mux that runs, and how many watch it.
type shared struct {
	feed    *feed
	viewers int
	cancel  context.CancelFunc
}

// New makes muxers that pack nothing yet. Without renditions they show what streams have.
func New(core *media.Core, renditions Renditions, log *slog.Logger) *Muxers {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Muxers{core: core, renditions: renditions, log: log.With("part", "live"), shared: make(map[key]*shared)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close ends all viewers and waits for the muxes.
func (m *Muxers) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
}

// Stats of one packing.
type Stats struct {
	Camera, Stream string
	Sound          bool
	Viewers        int
	SkippedGOPs    uint64
	Bytes          int // kept for viewers to come
}

// Stats of what is being watched.
func (m *Muxers) Stats() []Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Stats
	for k, s := range m.shared {
		st := Stats{Camera: k.camera, Stream: k.stream, Sound: k.sound != "", Viewers: s.viewers}
		s.feed.mu.Lock()
		st.SkippedGOPs = s.feed.skipped
		for _, c := range s.feed.chunks {
			st.Bytes += len(c.buf)
		}
		s.feed.mu.Unlock()
		out = append(out, st)
	}
	return out
}

// watch joins the viewers of k; leave is called once.
func (m *Muxers) watch(k key) (v *viewer, leave func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, ErrClosed
	}
	k = m.settle(k)
	s := m.shared[k]
	if s == nil {
		s = m.start(k)
		m.shared[k] = s
	}
	s.viewers++
	// The mux reads once for all. Who comes is told of one by one, since a camera on
	// battery wakes for the one that comes, not for those that are there.
	done := m.core.Stream(k.camera, k.stream).Ask("viewer")
	return &viewer{f: s.feed}, func() {
		done()
		m.mu.Lock()
		defer m.mu.Unlock()
		if s.viewers--; s.viewers == 0 {
			s.cancel()
			if m.shared[k] == s {
				delete(m.shared, k)
			}
		}
	}, nil
}

// start runs a mux until its last viewer has left.
func (m *Muxers) start(k key) *shared {
	ctx, cancel := context.WithCancel(m.ctx)
	s := &shared{feed: newFeed(), cancel: cancel}
	stream := m.core.Stream(k.camera, k.stream)
	m.wg.Go(func() {
		err := m.pack(ctx, k, s.feed)
		if ctx.Err() != nil {
			err = ErrClosed
		}
		s.feed.end(err)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.shared[k] == s {
			delete(m.shared, k) // the next viewer gets a new one
		}
	})
	m.wg.Go(func() { observe(ctx, stream, s.feed) })
	return s
}

// observe tells the feed when the source goes and returns.
func observe(ctx context.Context, stream *media.Stream, f *feed) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		st, changed := stream.State()
		now := status{live: st.Live, reason: st.Reason}
		if age := stream.Stats().LastUnit; st.Live && (age > stalled || age < 0) && time.Since(st.Since) > stalled {
			now = status{reason: "no picture for 5 s"}
		}
		f.setLive(now)
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// setLive keeps the word that this stream cannot be shown, while its source lives.
func (f *feed) setLive(s status) {
	f.mu.Lock()
	keep := s.live && f.status.cannot
	f.mu.Unlock()
	if !keep {
		f.setStatus(s)
	}
}
