package homekit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/ledger"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
)

// presser is the server as far as it rings.
type presser interface {
	Press(p server.Press) (subscribed int)
	PressTo(p *server.Peer, press server.Press) bool
}

// tellWithin is how long a ring's report waits for connections that take it slowly.
const tellWithin = 2 * time.Second

// maxTold is more connections than a server has.
const maxTold = 64

// bell rings at the controllers that listen, and knows who was not told yet.
type bell struct {
	accessory string            // its name in the ledger
	c         *characteristic.C // nil: a camera without a button
	ledger    *ledger.Ledger
	ctx       context.Context // the accessory's
	// told reports what became of a ring.
	told func(ctx context.Context, r ledger.Ring, told, of int, took time.Duration)

	closing atomic.Bool

	mu        sync.Mutex
	listening map[uint64]bool // connections, by their number
	last      lastRing
}

// lastRing is what people are told of the newest ring.
type lastRing struct {
	At   time.Time `json:"at"`
	Told int       `json:"told"`
}

// key of a listener: the phones of one person share a controller's name.
func key(p *server.Peer) string {
	return p.Controller() + "@" + p.Remote().Addr().Unmap().WithZone("").String()
}

// outcome is what became of a ring at one connection.
type outcome int

const (
	wrote    outcome = iota
	lost             // the connection ended before
	declined         // it was told already, or it is too late
)

// ring writes a ring to all who listen. It waits for nobody.
func (b *bell) ring(srv presser, r ledger.Ring, work *sync.WaitGroup) {
	if b.c == nil || !b.begin(r, work) {
		return
	}
	defer work.Done()
	began := time.Now()
	became := make(chan outcome, maxTold)
	n := srv.Press(b.press(r, func(o outcome) {
		select {
		case became <- o:
		default: // a report that is not waited for any more
		}
	}))
	work.Go(func() {
		told, of, late := 0, n, time.NewTimer(tellWithin)
		defer late.Stop()
	collect:
		for range n {
			select {
			case o := <-became:
				switch o {
				case wrote:
					told++
				case declined:
					of--
				}
			case <-late.C:
				break collect
			case <-b.ctx.Done():
				return
			}
		}
		b.told(b.ctx, r, told, of, time.Since(began))
	})
}

// begin says whether the accessory still rings, and if so keeps it from having closed
// until work is done. Whom it does not reach any more is owed the ring.
func (b *bell) begin(r ledger.Ring, work *sync.WaitGroup) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.Load() {
		return false
	}
	b.last = lastRing{At: r.At}
	work.Add(1)
	return true
}

// press is the ring as the server takes it.
func (b *bell) press(r ledger.Ring, became func(outcome)) server.Press {
	return server.Press{
		C: b.c, Value: r.Value,
		Claim: func(p *server.Peer) bool {
			mine := b.ledger.Claim(r.ID, key(p), p.ID())
			if !mine {
				became(declined)
			}
			return mine
		},
		Wrote: func(p *server.Peer, err error) {
			if err != nil {
				b.ledger.Release(r.ID, key(p), p.ID())
				became(lost)
				return
			}
			b.mu.Lock()
			if b.last.At.Equal(r.At) {
				b.last.Told++
			}
			b.mu.Unlock()
			became(wrote)
		},
	}
}

// subscribed notes a listener, and tells it what it missed while the plugin was away.
func (b *bell) subscribed(srv presser, p *server.Peer, c *characteristic.C, work *sync.WaitGroup) {
	if b.c == nil || c != b.c || b.closing.Load() {
		return
	}
	b.mu.Lock()
	known := b.listening[p.ID()]
	b.listening[p.ID()] = true
	b.mu.Unlock()
	if known {
		return
	}
	for _, r := range b.ledger.Listen(b.accessory, key(p)) {
		srv.PressTo(p, b.press(r, func(outcome) {}))
	}
	work.Go(func() {
		<-p.Done()
		b.mu.Lock()
		delete(b.listening, p.ID())
		b.mu.Unlock()
		if !b.closing.Load() && b.ctx.Err() == nil {
			b.ledger.Gone(b.accessory, key(p))
		}
	})
}

// close is called before the connections end: who listens now is owed the rings to come.
func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing.Store(true)
}

func (b *bell) lastRing() (lastRing, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, !b.last.At.IsZero()
}
