package homekit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/pairing"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
)

// again is how long a server that cannot listen waits before it tries once more.
const again = 5 * time.Second

// serving is what a door and the bridge have in common: an accessory server that is
// kept running, and what is kept of it.
type serving struct {
	name string // as orders name it: a camera's id, or bridge
	keep *store.Accessory
	srv  *server.Server
	log  *slog.Logger
	stop context.CancelFunc
	work sync.WaitGroup

	faultMu sync.Mutex
	fault   error // why the server does not run
}

// run keeps the server running.
func (s *serving) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.srv.Run(ctx)
		s.setFault(err)
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the accessory's server ended; it is started again", "error", err, "after", again)
		select {
		case <-ctx.Done():
		case <-time.After(again):
			s.setFault(nil)
		}
	}
}

func (s *serving) setFault(err error) {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.fault = err
}

// problem is why the accessory cannot be reached, or not be paired; nil while it can.
func (s *serving) problem() error {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	if s.fault == nil && s.keep.Tries() >= pairing.MaxTries {
		return &guessed{s.name}
	}
	return s.fault
}

// guessed is an accessory that takes no code any more, since too many were wrong.
type guessed struct{ name string }

func (g *guessed) Error() string {
	return fmt.Sprintf("somebody tried %d wrong setup codes; it takes none any more", pairing.MaxTries)
}

// Code for `porchlight explain`.
func (g *guessed) Code() string { return "E-HOMEKIT-TRIES" }

// Hint says how to mend it.
func (g *guessed) Hint() string {
	return "find out who it was, then porchlight homekit reset " + g.name + ": it gets a new code"
}
