package pack

import (
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// Payload is the most bytes of an RTP payload: with 12 bytes of header and 16 of SRTP's
	// tag a datagram has 1200, which every path carries.
	Payload = 1200 - 12 - 16

	// shelfTime is how long packed units are kept for the next viewer. Viewers keep what
	// they may have to repeat themselves.
	shelfTime = 2 * time.Second
	// shelfBytes bounds all of it; a viewer that comes late packs again.
	shelfBytes = 64 << 20
)

// Packed is the payloads of a unit, in order; the last one ends it.
type Packed struct {
	Payloads [][]byte
	Bytes    int
}

// Shelf keeps what was packed lately, so that a unit is packed once for all viewers. It
// is safe for many goroutines.
type Shelf struct {
	now func() time.Time

	mu    sync.Mutex
	by    map[*byte]*item
	order []*item // oldest first
	bytes int
}

type item struct {
	key  *byte
	made time.Time
	size int
	once sync.Once
	out  Packed
}

// NewShelf is empty. now is the clock.
func NewShelf(now func() time.Time) *Shelf {
	return &Shelf{now: now, by: make(map[*byte]*item)}
}

// Pack returns the payloads of u, a picture of t; of a key frame the parameter sets go first.
func (s *Shelf) Pack(t av.Track, u *av.Unit) Packed {
	if len(u.Data) == 0 {
		return Packed{}
	}
	it := s.item(&u.Data[0], len(u.Data))
	it.once.Do(func() { it.out = Picture(t, u) })
	return it.out
}

func (s *Shelf) item(key *byte, size int) *item {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.order) && (now.Sub(s.order[n].made) > shelfTime || s.bytes > shelfBytes) {
		old := s.order[n]
		s.bytes -= old.size
		delete(s.by, old.key)
		s.order[n] = nil
		n++
	}
	s.order = s.order[n:]
	it := s.by[key]
	if it == nil {
		it = &item{key: key, made: now, size: size}
		s.by[key] = it
		s.order = append(s.order, it)
		s.bytes += size
	}
	return it
}

// Len is how many units are kept.
func (s *Shelf) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order)
}
