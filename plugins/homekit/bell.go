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
	camera string
	c      *characteristic.C // nil: a camera without a button
	ledger *ledger.Ledger
	ctx    context.Context // the accessory's
	// told reports what became of a ring.
	told func(r ledger.Ring, told, of int, took time.Duration)

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

// ring writes a ring to all who listen. It waits for nobody.
func (b *bell) ring(srv presser, r ledger.Ring, work *sync.WaitGroup) {
	if b.c == nil {
		return
	}
	began := time.Now()
	b.mu.Lock()
	b.last = lastRing{At: r.At}
	b.mu.Unlock()
	wrote := make(chan bool, maxTold)
	n := srv.Press(b.press(r, func(ok bool) {
		select {
		case wrote <- ok:
		default: // a report that is not waited for any more
		}
	}))
	work.Go(func() {
		told, late := 0, time.NewTimer(tellWithin)
		defer late.Stop()
	collect:
		for range n {
			select {
			case ok := <-wrote:
				if ok {
					told++
				}
			case <-late.C:
				break collect
			case <-b.ctx.Done():
				return
			}
		}
		b.told(r, told, n, time.Since(began))
	})
}

// press is the ring as the server takes it.
func (b *bell) press(r ledger.Ring, wrote func(ok bool)) server.Press {
	return server.Press{
		C: b.c, Value: r.Value,
		Claim: func(p *server.Peer) bool { return b.ledger.Claim(r.ID, key(p), p.ID()) },
		Wrote: func(p *server.Peer, err error) {
			if err != nil {
				b.ledger.Release(r.ID, key(p), p.ID())
			} else {
				b.mu.Lock()
				if b.last.At.Equal(r.At) {
					b.last.Told++
				}
				b.mu.Unlock()
			}
			wrote(err == nil)
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
	for _, r := range b.ledger.Listen(b.camera, key(p)) {
		srv.PressTo(p, b.press(r, func(bool) {}))
	}
	work.Go(func() {
		<-p.Done()
		b.mu.Lock()
		delete(b.listening, p.ID())
		b.mu.Unlock()
		if !b.closing.Load() && b.ctx.Err() == nil {
			b.ledger.Gone(b.camera, key(p))
		}
	})
}

// close is called before the connections end: who listens now is owed the rings to come.
func (b *bell) close() { b.closing.Store(true) }

func (b *bell) lastRing() (lastRing, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, !b.last.At.IsZero()
}
