package server

import (
	"slices"
	"time"

	"github.com/brutella/hap"
)

// Status is what people are told of a server.
type Status struct {
	Port         int
	Paired       bool
	Announced    string // the name as announced; empty: not announced
	ConfigNumber uint32
	Controllers  []ControllerStatus // every paired one, connected or not
	Unverified   int
}

// ControllerStatus is one paired controller.
type ControllerStatus struct {
	ID          string
	Admin       bool
	Connections int
	Addresses   []string
	Subscribed  int       // characteristics, over all its connections
	LastSeen    time.Time // zero: not since the start
	LastError   string    // why a connection ended that was not simply closed
	LastErrorAt time.Time
}

// Status says what goes on.
func (s *Server) Status() Status {
	pairings := s.o.Book.Pairings()
	st := Status{Paired: len(pairings) > 0, ConfigNumber: s.config}
	s.mu.RLock()
	record := s.record
	s.mu.RUnlock()
	if record != nil { // not under the lock that presses need
		st.Announced = record.Name()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	st.Port = s.port
	for _, p := range pairings {
		cs := ControllerStatus{ID: p.Name, Admin: p.Permission&hap.PermissionAdmin != 0}
		if v := s.seen[p.Name]; v != nil {
			cs.LastSeen, cs.LastError, cs.LastErrorAt = v.last, v.err, v.errTime
		}
		for _, c := range s.conns {
			if c.peer == nil || c.peer.Controller() != p.Name {
				continue
			}
			cs.Connections++
			cs.Subscribed += len(c.subs)
			if a := c.remote.Addr().String(); !slices.Contains(cs.Addresses, a) {
				cs.Addresses = append(cs.Addresses, a)
			}
			if last := time.Unix(0, c.last.Load()); last.After(cs.LastSeen) {
				cs.LastSeen = last
			}
		}
		slices.Sort(cs.Addresses)
		st.Controllers = append(st.Controllers, cs)
	}
	for _, c := range s.conns {
		if c.peer == nil && c.out.Err() == nil {
			st.Unverified++
		}
	}
	return st
}
