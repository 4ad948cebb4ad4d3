package server

import (
	"net/http"
	"strconv"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/outbox"
)

// Press is one ring on its way to controllers. On each connection it is either claimed and
// then written, or, when the connection ends before its turn, neither.
type Press struct {
	C     *characteristic.C
	Value int // 0 single, 1 double, 2 long
	// Claim is asked in a connection's writer right before the bytes are written; false
	// means not here. Nil means always.
	Claim func(controller string) bool
	// Wrote is called once for each press that was claimed, after its bytes were handed to
	// the network or with the error why they were not.
	Wrote func(controller string, err error)
}

// Press hands p to every subscribed connection and returns at once; subscribed is how many.
func (s *Server) Press(p Press) (subscribed int) {
	at := s.db.Of(p.C)
	if at == nil {
		return 0
	}
	message := pressMessage(at, p.Value)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.conns {
		if c.press(at, p, message) {
			subscribed++
		}
	}
	return subscribed
}

// PressTo hands press to one connection; false when it is gone or not subscribed.
func (s *Server) PressTo(p *Peer, press Press) bool {
	at := s.db.Of(press.C)
	if at == nil || p == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.conns[p.ID()]
	return c != nil && c.peer == p && c.press(at, press, pressMessage(at, press.Value))
}

func pressMessage(at *attribute.Attribute, value int) []byte {
	return outbox.EventMessage(outbox.Change{
		ID: outbox.ID{AID: at.AID, IID: at.IID}, Value: []byte(strconv.Itoa(value)),
	})
}

// press puts one in for this connection. The caller holds the server's lock.
func (c *connection) press(at *attribute.Attribute, p Press, message []byte) bool {
	if _, ok := c.subs[at]; !ok {
		return false
	}
	controller := c.peer.Controller()
	q := outbox.Press{Message: message}
	if p.Claim != nil {
		q.Claim = func() bool { return p.Claim(controller) }
	}
	if p.Wrote != nil {
		q.Wrote = func(err error) { p.Wrote(controller, err) }
	}
	return c.out.Press(q)
}

// changed tells the others of a new value; who wrote it knows.
func (s *Server) changed(at *attribute.Attribute, now any, r *http.Request) {
	if at.IsPress() {
		if v, ok := now.(int); ok {
			s.Press(Press{C: at.C, Value: v})
		}
		return
	}
	writer := PeerOf(r)
	change := outbox.Change{ID: outbox.ID{AID: at.AID, IID: at.IID}, Value: at.JSON(now)}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.conns {
		if _, ok := c.subs[at]; ok && c.peer != writer {
			c.out.Change(change)
		}
	}
}

// subscribe begins or ends a subscription; began is true when there was none.
func (s *Server) subscribe(c *connection, at *attribute.Attribute, on bool) (began bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] != c { // it has ended
		return false
	}
	if !on {
		delete(c.subs, at)
		return false
	}
	_, had := c.subs[at]
	c.subs[at] = struct{}{}
	return !had
}

func (s *Server) subscribed(c *connection, at *attribute.Attribute) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := c.subs[at]
	return ok
}
