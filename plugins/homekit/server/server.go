package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/brutella/hap"
	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/pairing"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
)

// Server is one accessory server.
type Server struct {
	o      Options
	log    *slog.Logger
	db     *attribute.Database
	desk   *pairing.Desk
	config uint32
	kick   chan struct{} // 1: one token says that the announced record is out of date
	guests *guests

	ranking sync.Mutex // taken before mu

	mu     sync.RWMutex
	port   int
	record Announced              // nil: none stands
	next   uint64                 // the newest connection's number
	conns  map[uint64]*connection // all that are open
	seen   map[string]*sight      // of controllers, by name
	// identified is when it last showed which one it is, for somebody who is not verified.
	identified time.Time
}

// sight is what is remembered of a controller while it is paired.
type sight struct {
	last    time.Time
	err     string
	errTime time.Time
}

// New numbers the accessories and works out the configuration number. Callbacks must be in
// place by then: the server stands before them.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := attribute.New(o.Accessories, o.Book)
	if err != nil {
		return nil, fmt.Errorf("homekit server: %w", err)
	}
	config, err := o.Book.ConfigNumber(db.Shape())
	if err != nil {
		return nil, fmt.Errorf("homekit server: configuration number: %w", err)
	}
	s := &Server{
		o: o, log: o.Log, db: db, config: config,
		kick: make(chan struct{}, 1), guests: newGuests(),
		conns: map[uint64]*connection{},
		seen:  map[string]*sight{},
	}
	s.desk = pairing.NewDesk(o.Book, pairing.Options{Now: o.Now, Log: o.Log, Changed: s.Reannounce})
	for _, a := range o.Accessories {
		if a.IdentifyFunc == nil && o.Identify != nil {
			a.IdentifyFunc = func(*http.Request) { o.Identify() }
		}
	}
	db.All(func(at *attribute.Attribute) {
		at.C.OnCValueUpdate(func(_ *characteristic.C, now, _ any, r *http.Request) { s.changed(at, now, r) })
	})
	return s, nil
}

// Run listens and announces until ctx ends, and returns when all of it is gone: listener,
// connections, record. It may be called again then.
func (s *Server) Run(ctx context.Context) error {
	l, err := s.listen(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	port := l.Addr().(*net.TCPAddr).Port
	s.setPort(port)
	defer s.setPort(0)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()

	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { s.announce(ctx, port) })
	err = s.accept(ctx, l, &all)
	l.Close()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Port is the one listened on; 0 while Run is not.
func (s *Server) Port() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.port
}

func (s *Server) setPort(port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port = port
}

// Paired says whether any controller is paired.
func (s *Server) Paired() bool { return len(s.o.Book.Pairings()) > 0 }

// Unpair removes one controller, or all for "", and ends their connections. With the last
// admin go all (HAP 5.11).
func (s *Server) Unpair(controller string) error {
	var errs []error
	for _, p := range s.o.Book.Pairings() {
		if controller != "" && p.Name != controller {
			continue
		}
		if _, err := s.o.Book.Unpair(p.Name); err != nil {
			errs = append(errs, fmt.Errorf("homekit server: unpair: %w", err))
		}
	}
	s.dropUnpaired()
	s.Reannounce()
	return errors.Join(errs...)
}

// dropUnpaired ends the connections of all that are no longer paired.
func (s *Server) dropUnpaired() {
	paired := map[string]bool{}
	for _, p := range s.o.Book.Pairings() {
		paired[p.Name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.peer != nil && !paired[c.peer.Controller()] {
			c.out.Close(ErrUnpaired)
		}
	}
	for name := range s.seen {
		if !paired[name] {
			delete(s.seen, name)
		}
	}
}

// rank lets open connections have the rights that their controllers have now.
func (s *Server) rank() {
	s.ranking.Lock() // what was read last is how it is
	defer s.ranking.Unlock()
	admin := map[string]bool{}
	for _, p := range s.o.Book.Pairings() {
		admin[p.Name] = p.Permission&hap.PermissionAdmin != 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.conns {
		if c.peer != nil {
			c.peer.admin.Store(admin[c.peer.Controller()])
		}
	}
}

// ErrUnpaired ends the connections of a controller that was removed.
var ErrUnpaired = errors.New("homekit server: connection: the controller was removed")
