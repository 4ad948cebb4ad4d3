package server

import (
	"net/http"
	"strconv"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/outbox"
)

// Press is one ring on its way to controllers.
type Press struct {
	C     *characteristic.C
	Value int // 0 single, 1 double, 2 long
	// Claim is asked in a connection's writer right before the bytes are written; false
	// means not here. Nil means always.
	Claim func(p *Peer) bool
	// Wrote is called once for each connection that the press was handed to and that did not
	// decline it: after its bytes were handed to the network, or with the reason why this
	// connection never wrote them. It is called by the connection's writer, or by who
	// presses when the connection has ended already. May be nil.
	Wrote func(p *Peer, err error)
}

// Press hands p to every subscribed connection and returns at once; subscribed is how many.
func (s *Server) Press(p Press) (subscribed int) {
	at := s.db.Of(p.C)
	if at == nil {
		return 0
	}
	message := pressMessage(at, p.Value)
	var lost []func()
	s.mu.RLock()
	for _, c := range s.conns {
		if _, ok := c.subs[at]; ok {
			subscribed++
			if err := c.press(p, message); err != nil {
				lost = append(lost, func() { p.tell(c.peer, err) })
			}
		}
	}
	s.mu.RUnlock()
	for _, tell := range lost {
		tell()
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
	c := s.conns[p.ID()]
	if c == nil || c.peer != p {
		s.mu.RUnlock()
		return false
	}
	_, ok := c.subs[at]
	var err error
	if ok {
		err = c.press(press, pressMessage(at, press.Value))
	}
	s.mu.RUnlock()
	if err != nil {
		press.tell(p, err)
	}
	return ok
}

func (p Press) tell(to *Peer, err error) {
	if p.Wrote != nil {
		p.Wrote(to, err)
	}
}

func pressMessage(at *attribute.Attribute, value int) []byte {
	return outbox.EventMessage(outbox.Change{
		ID: outbox.ID{AID: at.AID, IID: at.IID}, Value: []byte(strconv.Itoa(value)),
	})
}

// press puts one in for this connection; an error: nobody will be told of it.
func (c *connection) press(p Press, message []byte) error {
	q := outbox.Press{Message: message, Wrote: func(err error) { p.tell(c.peer, err) }}
	if p.Claim != nil {
		q.Claim = func() bool { return p.Claim(c.peer) }
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
