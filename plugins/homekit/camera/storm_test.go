package camera

import (
	"testing"
	"time"
)

// TestOpeningsAreBounded: whoever ends and begins without rest asks the hub for pictures now
// and then, and others are not kept waiting.
func TestOpeningsAreBounded(t *testing.T) {
	c := door(t, newHouse(t), nil)
	s := c.streams[0]
	p := newPhone(t, 1, nil)
	began := time.Now()
	p.watch(s, full())
	s.mu.Lock()
	v := s.view
	s.mu.Unlock()
	const more = opensAtOnce + 5
	for range more {
		u, err := v.openMedia(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = u.Close() // another follows
	}
	if took := time.Since(began); took < (more-opensAtOnce)*time.Second/opensPerSecond {
		t.Errorf("%d openings within %v", more, took)
	}
}
