package server

import (
	"context"
	"time"
)

// Server is one accessory server.
type Server struct{ o Options }

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
	Subscribed  int // characteristics, over all its connections
	LastSeen    time.Time
	LastError   string
	LastErrorAt time.Time
}

// New numbers the accessories and works out the configuration number.
func New(o Options) (*Server, error) { return &Server{o: o}, nil }

// Run listens and announces until ctx ends.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Port is the one listened on; 0 while Run is not.
func (s *Server) Port() int { return 0 }

// Paired says whether any controller is paired.
func (s *Server) Paired() bool { return len(s.o.Book.Pairings()) > 0 }

// Status says what goes on.
func (s *Server) Status() Status { return Status{} }

// Press hands p to every subscribed connection and returns at once; subscribed is how many.
func (s *Server) Press(p Press) (subscribed int) { return 0 }

// PressTo hands press to one connection; false when it is gone or not subscribed.
func (s *Server) PressTo(p *Peer, press Press) bool { return false }

// Unpair removes one controller, or all for "".
func (s *Server) Unpair(controller string) error { return nil }

// Reannounce brings the announced record up to date.
func (s *Server) Reannounce() {}
