package server

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// maxGuests is how many connections there are before pair-verify.
	maxGuests = 8

	// grace is how long a guest is left to itself before it makes room for a newer one. All
	// phones of a house come back at once after a restart, and each needs some round trips.
	grace = time.Second

	// A crowd must not use that to keep others waiting: while nobody is verified, newer ones
	// wait for all guests together no longer than longestWait, of which they get back a tenth
	// of the time.
	longestWait = 2 * time.Second
	regained    = 10
)

// guests is how a connection finds a place before pair-verify. Only the accepting goroutine
// waits.
type guests struct {
	slots chan struct{} // 2*maxGuests: one is held by each guest until nothing of it is left
	room  chan struct{} // 1: one token says that a place may have become free
	known atomic.Uint64 // how many were verified so far
	spent time.Duration // of longestWait
	at    time.Time     // when spent was true
}

func newGuests() *guests {
	return &guests{slots: make(chan struct{}, 2*maxGuests), room: make(chan struct{}, 1)}
}

// left says that a guest is none any more.
func (g *guests) left() {
	<-g.slots
	select {
	case g.room <- struct{}{}:
	default:
	}
}

// wait waits until somebody left, for so long at most; false when nobody may be waited for.
func (g *guests) wait(ctx context.Context, most time.Duration) bool {
	begin, known := time.Now(), g.known.Load()
	g.spent = max(0, g.spent-begin.Sub(g.at)/regained)
	g.at = begin
	most = min(most, longestWait-g.spent)
	if most <= 0 {
		return false
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-g.room:
	case <-timer.C:
	}
	g.at = time.Now()
	if g.known.Load() == known {
		g.spent += g.at.Sub(begin)
	}
	return true
}

// enter puts a connection on the list, and ends another one where there is no place.
func (s *Server) enter(ctx context.Context, nc net.Conn) *connection {
	for {
		c, young := s.tryEnter(ctx, nc, false)
		if c != nil {
			return c
		}
		if !s.guests.wait(ctx, young) {
			c, _ = s.tryEnter(ctx, nc, true)
			return c
		}
	}
}

// tryEnter does it unless who should go is young, and then says for how long yet.
func (s *Server) tryEnter(ctx context.Context, nc net.Conn, force bool) (c *connection, young time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in []*connection
	for _, g := range s.conns {
		if g.peer == nil && g.out.Err() == nil {
			in = append(in, g)
		}
	}
	if len(in) >= maxGuests {
		old := foremost(in)
		if young = grace - time.Since(old.since); young > 0 && !force && ctx.Err() == nil {
			return nil, young
		}
		old.out.Close(ErrCrowded) // under the lock: it cannot be verified meanwhile
	}
	s.next++
	c = s.newConnection(ctx, nc, s.next)
	s.conns[c.id] = c
	return c, 0
}

// foremost is who goes first: of whoever has most of them, so that a crowd pushes out
// itself, who never asked for anything, and then the oldest.
func foremost(in []*connection) *connection {
	from := map[netip.Prefix]int{}
	for _, g := range in {
		from[neighbors(g.remote.Addr())]++
	}
	first := in[0]
	for _, g := range in[1:] {
		mine, most := from[neighbors(g.remote.Addr())], from[neighbors(first.remote.Addr())]
		switch {
		case mine != most:
			if mine > most {
				first = g
			}
		case g.asked.Load() != first.asked.Load():
			if first.asked.Load() {
				first = g
			}
		case g.id < first.id:
			first = g
		}
	}
	return first
}

// neighbors is whose addresses one host may have many of.
func neighbors(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
