package bus

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// ballastSize is given up first when the disk is full: SQLite needs room even to delete.
	ballastSize = 16 << 20
	// walTidy is the size of the -wal from which it is copied into the file beside
	// the writer; walMost the one from which the writer copies it before it goes on.
	// On a small disk the -wal is what would fill it.
	walTidy = 4 << 20
	walMost = 16 << 20
	// tidyEvery looks after the -wal and the ballast, expireEvery after old events.
	tidyEvery   = time.Second
	expireEvery = time.Hour
	// expireRows are deleted in one transaction, so that a ring waits for a few ms at most.
	expireRows = 500
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
			tell("delete old events", b.expire(ctx, now))
		}
		b.keepBallast()
		if b.walSize() >= walTidy {
			tell("checkpoint", checkpoint(ctx, b.journal.db.SQL(), "PASSIVE"))
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

// expire deletes what is older than Retain, oldest first, in small steps.
func (b *Bus) expire(ctx context.Context, now time.Time) error {
	db := b.journal.db.SQL()
	before := now.Add(-b.opts.Retain).UnixNano()
	for {
		res, err := db.ExecContext(ctx, `DELETE FROM events WHERE seq IN (
			SELECT seq FROM events WHERE received < ? ORDER BY received LIMIT ?)`, before, expireRows)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n < expireRows {
			break
		}
	}
	_, err := db.ExecContext(ctx, `DELETE FROM handled WHERE at < ?`, now.Add(-handledFor).UnixNano())
	return err
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

func (b *Bus) walSize() int64 {
	st, err := os.Stat(b.journal.path + "-wal")
	if err != nil {
		return 0
	}
	return st.Size()
}

// checkpoint copies the -wal into the file. PASSIVE waits for nobody and nobody for
// it; when it came to the end the next write begins the -wal anew.
func checkpoint(ctx context.Context, on interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, mode string) error {
	var busy, inLog, copied int
	return on.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &inLog, &copied)
}

func (b *Bus) ballastPath() string { return b.journal.path + ".ballast" }

// dropBallast frees the ballast; false: there was none.
func (b *Bus) dropBallast() bool {
	return b.opts.Ballast > 0 && os.Remove(b.ballastPath()) == nil
}

// keepBallast makes the ballast where it is not there, once there is twice the room.
func (b *Bus) keepBallast() {
	if b.opts.Ballast < 0 || b.isStopped() {
		return
	}
	st, err := os.Stat(b.ballastPath())
	if err == nil && st.Size() == b.opts.Ballast {
		return
	}
	if free, known := freeBytes(b.journal.path); known && free < 2*b.opts.Ballast {
		return
	}
	if err := writeBallast(b.ballastPath(), b.opts.Ballast); err != nil {
		return // no room after all: the next round tries again
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble.Full && !b.trouble.Stopped {
		b.setTrouble(JournalState{})
	}
}

// writeBallast writes random bytes: some file systems store zeros as nothing.
func writeBallast(path string, size int64) (err error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, size)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		if rm := os.Remove(path + ".new"); !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}
