package restream

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// listen opens the port on this machine's loopback addresses, or on all.
func (s *Server) listen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = nil
	if s.settings.Off || s.ctx.Err() != nil {
		return
	}
	hosts := []string{"127.0.0.1", "::1"}
	if s.settings.LAN {
		hosts = []string{""}
	}
	port := s.settings.Port
	for i, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil && i > 0 {
			continue // a machine without IPv6
		}
		if err != nil {
			s.trouble = portError{port, err}
			s.log.Error("cannot listen", "port", port, "err", err)
			return
		}
		if i == 0 {
			s.addr, s.lan = l.Addr(), s.settings.LAN
			port = l.Addr().(*net.TCPAddr).Port // a free one was asked for
		}
		s.listeners = append(s.listeners, l)
		s.wg.Go(func() { s.accept(l) })
	}
	s.log.Info("serving rtsp", "address", s.addr.String(), "lan", s.settings.LAN)
}

// unlisten closes the port and ends every connection.
func (s *Server) unlisten(reason string) {
	s.mu.Lock()
	listeners, conns := s.listeners, make([]*conn, 0, len(s.conns))
	s.listeners, s.addr = nil, nil
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, c := range conns {
		c.close(reason)
	}
}

func (s *Server) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("accept", "err", err)
			select { // out of descriptors, most likely: not a reason to end, nor to spin
			case <-time.After(100 * time.Millisecond):
			case <-s.ctx.Done():
			}
			continue
		}
		c := newConn(s, nc)
		if !s.admit(c) {
			s.refused.Add(1)
			_ = nc.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.leave(c)
			c.serve(s.ctx)
		})
	}
}

// admit bounds the connections. In a crowd the one goes that has shown no password for
// longest: who has one shows it at once.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := 0
	var stranger *conn // the one that came first
	for o := range s.conns {
		if o.host == c.host {
			of++
		}
		if (stranger == nil || o.id < stranger.id) && !o.known() {
			stranger = o
		}
	}
	if s.closing || !c.loopback && of >= maxConnsOf {
		return false
	}
	if len(s.conns) >= maxConns {
		if stranger == nil {
			return false
		}
		s.refused.Add(1)
		delete(s.conns, stranger)
		stranger.close("others wanted to come in")
	}
	s.ids++
	c.id = s.ids
	s.conns[c] = struct{}{}
	return true
}

// notListening: the server is off, or not there yet.
type notListening struct{}

func (notListening) Error() string { return "the hub does not listen for RTSP" }
func (notListening) Code() string  { return "E-RESTREAM-OFF" }
func (notListening) Hint() string  { return "Ask again in a moment, if the hub has just begun." }

// portError says that the server cannot listen.
type portError struct {
	port int
	err  error
}

func (e portError) Error() string {
	return fmt.Sprintf("restream: listen on port %d: %v", e.port, e.err)
}
func (e portError) Unwrap() error { return e.err }

// Code and Hint are for people.
func (e portError) Code() string {
	if errors.Is(e.err, syscall.EADDRINUSE) {
		return "E-RESTREAM-PORT-TAKEN"
	}
	return "E-RESTREAM-LISTEN"
}
func (e portError) Hint() string {
	return "Set hub.rtsp.port to a free port above 1023; the hub tries again by itself meanwhile."
}
