package mse

import (
	"context"
	"iter"
	"sync/atomic"
	"time"
)

// viewer is a cursor into a feed. next is for one goroutine.
type viewer struct {
	f      *feed
	c      *chunk // nil: at the newest key frame, when there is one
	frag   int    // next fragment of c
	gen    *generation
	told   uint64
	down   bool // was told that the source is away
	moved  bool // not where the last piece ended
	paused atomic.Bool
	skips  uint64
}

// piece is what a viewer gets next: one of a status, or fragments with what comes before them.
type piece struct {
	status *status
	gen    *generation // new: its init segment goes first
	jump   bool        // pictures were left out
	at     time.Duration
	buf    []byte // of their chunk, as long as it was
	frags  []fragment
}

// message is the fragments as one message of a WebSocket, with its header. One alone is
// shared by all viewers; who has more to catch up with gets a copy.
func (p piece) message() []byte {
	if len(p.frags) == 1 {
		f := p.frags[0]
		return p.buf[f.head:f.end:f.end]
	}
	n := 0
	for _, f := range p.frags {
		n += f.end - f.body
	}
	b := messageHeader(make([]byte, 0, n+10), n)
	for f := range p.bodies() {
		b = append(b, f...)
	}
	return b
}

// bodies are the fragments alone.
func (p piece) bodies() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, f := range p.frags {
			if !yield(p.buf[f.body:f.end:f.end]) {
				return
			}
		}
	}
}

// next waits for the next piece.
func (v *viewer) next(ctx context.Context) (piece, error) {
	for {
		v.f.mu.Lock()
		p, ok, err := v.take()
		wake := v.f.wake
		if !ok && err == nil {
			v.f.waiting++
		}
		v.f.mu.Unlock()
		if ok || err != nil {
			return p, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return piece{}, ctx.Err()
		}
	}
}

// take returns the next piece if there is one. The feed is locked.
func (v *viewer) take() (piece, bool, error) {
	f := v.f
	if v.told != f.told {
		v.told = f.told
		// Nobody needs to be told that all is well before it was otherwise.
		if s := f.status; !s.live || v.down {
			v.down = !s.live
			return piece{status: &s}, true, nil
		}
	}
	if f.err != nil {
		return piece{}, false, f.err
	}
	if v.paused.Load() {
		return piece{}, false, nil
	}
	v.place()
	if v.c == nil || v.frag >= len(v.c.frags) {
		return piece{}, false, nil
	}
	c := v.c
	first := c.frags[v.frag]
	p := piece{at: first.dts, jump: v.moved && v.gen == c.gen, buf: c.buf}
	last := v.frag
	for last+1 < len(c.frags) && c.frags[last+1].end-first.head <= pieceBytes {
		last++
	}
	p.frags = c.frags[v.frag : last+1 : last+1]
	v.frag, v.moved = last+1, false
	if v.gen != c.gen {
		v.gen, p.gen = c.gen, c.gen
	}
	return p, true, nil
}

// place moves the cursor to where the viewer goes on.
func (v *viewer) place() {
	f := v.f
	for v.c != nil && v.frag >= len(v.c.frags) && f.chunk(v.c.n+1) != nil {
		v.c, v.frag = f.chunk(v.c.n+1), 0
	}
	key := f.newestKey()
	switch {
	case v.c == nil:
		v.c, v.frag = key, 0
	case f.chunk(v.c.n) == nil,
		key != nil && key.n > v.c.n && v.frag < len(v.c.frags) && time.Since(v.c.frags[v.frag].made) > slowLag:
		v.c, v.frag, v.moved = key, 0, true
		v.skips++
		f.skipped++
	}
}

// setPaused stops the pictures, or lets them go on at the newest key frame.
func (v *viewer) setPaused(on bool) {
	if v.paused.Swap(on) == on {
		return
	}
	v.f.mu.Lock()
	defer v.f.mu.Unlock()
	if !on && v.c != nil {
		v.c, v.frag, v.moved = nil, 0, true
	}
	v.f.broadcast()
}
