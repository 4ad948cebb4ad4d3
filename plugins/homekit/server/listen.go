package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/outbox"
)

// maxVerified is how many verified connections there are; HAP 6.2.3 asks for at least 8.
const maxVerified = 32

// ErrCrowded ends a connection that makes room for a newer one.
var ErrCrowded = errors.New("homekit server: connection: room was needed for a newer one")

// listen takes the port asked for or kept, else any other, and keeps which.
func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	want := s.o.Port
	if want == 0 {
		want = s.o.Book.Port()
	}
	lc := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 60 * time.Second, Interval: 15 * time.Second, Count: 4},
		Control:         control,
	}
	l, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(want))
	if err != nil && want != 0 {
		s.log.Warn("the port is taken; another one is used", "port", want, "error", err)
		l, err = lc.Listen(ctx, "tcp", ":0")
	}
	if err != nil {
		return nil, fmt.Errorf("homekit server: listen: %w", err)
	}
	if port := l.Addr().(*net.TCPAddr).Port; port != s.o.Book.Port() {
		if err := s.o.Book.SetPort(port); err != nil {
			s.log.Warn("the port will be another one after a restart", "port", port, "error", err)
		}
	}
	return l, nil
}

// accept takes connections in until the listener is closed. Nothing that a peer does ends
// it, and it goes no faster than guests leave.
func (s *Server) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	pause := 5 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s.guests.slots <- struct{}{}:
		}
		nc, err := l.Accept()
		if err != nil {
			<-s.guests.slots
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors, or a peer that left already: it passes.
			s.log.Warn("a connection was not accepted", "error", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		all.Go(s.enter(ctx, nc).run)
	}
}

// admit makes c a verified connection.
func (s *Server) admit(c *connection) bool {
	if !s.place(c) {
		return false
	}
	// Asked again now that c is on the list: whoever removed the pairing before did not see
	// it, and whoever changed its rights. Not under the lock, since the book may be waiting
	// for its disk.
	_, paired := s.o.Book.Pairing(c.verified.Controller)
	s.rank()
	return paired
}

// place finds room for c. Beyond the limit, who has most connections loses the one that was
// silent longest; where everybody has one, there is no room.
func (s *Server) place(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.out.Err() != nil {
		return false
	}
	of := map[string]int{c.verified.Controller: 1}
	var verified []*connection
	for _, o := range s.conns {
		if o.peer != nil && o.out.Err() == nil {
			verified = append(verified, o)
			of[o.peer.Controller()]++
		}
	}
	if len(verified) >= maxVerified {
		var old *connection
		for _, o := range verified {
			mine := of[o.peer.Controller()]
			if mine > 1 && (old == nil || mine > of[old.peer.Controller()] ||
				mine == of[old.peer.Controller()] && o.last.Load() < old.last.Load()) {
				old = o
			}
		}
		if old == nil {
			return false
		}
		old.out.Close(ErrCrowded)
	}
	now := s.o.Now()
	c.last.Store(now.UnixNano())
	c.peer = NewPeer(PeerInfo{
		ID: c.id, Controller: c.verified.Controller, Admin: c.verified.Admin,
		Local: c.local, Remote: c.remote, Done: c.ctx.Done(), Secret: c.verified.Secret,
	})
	s.sight(c.peer.Controller()).last = now
	s.guests.known.Add(1)
	c.leave()
	return true
}

// sight is what is remembered of a controller. The caller holds the lock.
func (s *Server) sight(controller string) *sight {
	v := s.seen[controller]
	if v == nil {
		v = &sight{}
		s.seen[controller] = v
	}
	return v
}

// forget takes a connection off the list and remembers why it ended.
func (s *Server) forget(c *connection, why error) {
	if !s.strike(c, why) {
		return
	}
	if c.peer == nil {
		s.log.Debug("a connection ended before pair-verify", "remote", c.remote, "why", why)
		return
	}
	s.log.Debug("a controller's connection ended", "controller", c.peer.Controller(), "remote", c.remote, "why", why)
}

func (s *Server) strike(c *connection, why error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] != c {
		return false
	}
	delete(s.conns, c.id)
	clear(c.subs)
	if c.peer == nil || errors.Is(why, ErrUnpaired) {
		return true
	}
	v := s.sight(c.peer.Controller())
	if last := time.Unix(0, c.last.Load()); last.After(v.last) {
		v.last = last
	}
	if !ordinary(why) {
		v.err, v.errTime = why.Error(), s.o.Now()
	}
	return true
}

// ordinary says whether a connection that ended so ended as connections do.
func ordinary(why error) bool {
	return why == nil || errors.Is(why, io.EOF) || errors.Is(why, net.ErrClosed) || errors.Is(why, ErrCrowded) || errors.Is(why, outbox.ErrClosed)
}
