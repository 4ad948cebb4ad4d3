package bus

import (
	"context"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
)

const (
	// ballastSize is given up first when the disk is full: SQLite needs room even to delete.
	ballastSize = 16 << 20
	// tidyEvery looks after the -wal and the ballast, expireEvery after old events.
	tidyEvery   = time.Second
	expireEvery = time.Hour
	// idleLag is how far an idle taker's cursor may stay behind before it is moved, so
	// that it need not read past all that did not concern it.
	idleLag = 1000
)

// housekeep keeps the journal small, and the ballast there.
func (b *Bus) housekeep(stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var expired time.Time
	var copied int64             // the -wal's size when it was last copied
	trouble := map[string]bool{} // told already, until it works again
	tell := func(what string, err error) {
		if err != nil && !trouble[what] && ctx.Err() == nil {
			b.log.Warn("journal is not kept small", "act", what, "cause", err)
		}
		trouble[what] = err != nil
	}
	for {
		if now := time.Now(); now.Sub(expired) >= expireEvery || b.isStopped() {
			expired = now
			b.moveIdle()
			tell("delete old events", b.journal.Expire(ctx, now, now.Add(-b.opts.Retain)))
		}
		b.keepBallast()
		if size := b.journal.WALSize(); size >= journal.WALTidy && size != copied {
			copied = size
			tell("checkpoint", b.journal.Checkpoint(ctx, journal.Passive))
			b.finishWAL.Store(true)
			signal(b.wake)
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		case <-b.tidy:
		}
	}
}

func (b *Bus) isStopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble.Stopped
}

// moveIdle moves the cursors of takers that have nothing to do up to what the
// journal has.
func (b *Bus) moveIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		for kind, l := range s.lanes {
			durable := b.tails[kind].durable
			l.mu.Lock()
			idle := l.live && l.queue.len() == 0 && len(l.staged) == 0 && len(l.pending) == 0
			move := idle && durable > l.saved+idleLag
			if move {
				l.passOver(durable)
			}
			l.mu.Unlock()
			if move {
				b.mark(l, false)
			}
		}
	}
}

// keepBallast makes the ballast where it is not there; once it is, the disk is well again.
func (b *Bus) keepBallast() {
	if b.isStopped() || !b.ballast.Keep() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble.Full && !b.trouble.Stopped {
		b.setTrouble(JournalState{})
	}
}
