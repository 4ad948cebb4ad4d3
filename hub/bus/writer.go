package bus

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

const (
	// groupSize and groupWait bound what is committed together.
	groupSize = 512
	groupWait = 5 * time.Millisecond
	// restWait is how long events for whose answer nobody waits gather: the rule, the
	// chime and the hops of one ring are one commit, not one each.
	restWait = 20 * time.Millisecond
	// retryAfter is how often a journal that cannot be written is tried again.
	retryAfter = time.Second
	// lastWrite is how long the end of the hub waits for the journal.
	lastWrite = 5 * time.Second
)

// writer is the one goroutine that writes the journal. Rings are committed alone,
// ahead of all else, and synced; the rest in groups.
type writer struct {
	b       *Bus
	file    *journal.Writer
	retry   time.Time
	probe   int // commits since groups were last tried
	grouped bool
	emptied bool // the full disk's -wal was copied since the last success
	copied  bool // the -wal was copied since the last group
	// rested: when what waits and nobody waits for is written at the latest; zero: nothing is.
	rested time.Time
}

func newWriter(b *Bus) *writer { return &writer{b: b, file: b.journal.Writer()} }

// run writes until stop is closed, then once more what is left.
func (w *writer) run(stop <-chan struct{}) {
	defer w.file.Close()
	ctx := context.Background()
	for {
		next, busy := w.step(ctx)
		if busy {
			continue
		}
		var tick <-chan time.Time
		var timer *time.Timer
		if !next.IsZero() {
			timer = time.NewTimer(time.Until(next))
			tick = timer.C
		}
		select {
		case <-w.b.wake:
		case <-tick:
		case <-stop:
			w.finish()
			return
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// finish writes what is left, if it can be written.
func (w *writer) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWrite)
	defer cancel()
	w.retry = time.Time{}
	for ctx.Err() == nil {
		if _, busy := w.step(ctx); !busy {
			break
		}
	}
	w.b.abandon()
}

// step does the most urgent thing; busy false: there is nothing to do before next.
func (w *writer) step(ctx context.Context) (next time.Time, busy bool) {
	now := time.Now()
	if w.retry.After(now) {
		return w.retry, false
	}
	rings, others := w.b.waiting()
	dirty, eager := w.b.unsaved()
	switch {
	case rings > 0:
		// The takers of a ring were woken on this processor too, and a sync would keep it from
		// them for as long as the disk takes: they go first.
		runtime.Gosched()
		return w.write(ctx, critical)
	case w.b.finishWAL.Swap(false) || !w.copied && w.b.journal.WALSize() >= journal.WALMost:
		// With us at rest it comes to the end, and the -wal begins anew.
		w.copied = true // once, whether a reader lets it come to the end or not
		if err := w.b.journal.Checkpoint(ctx, journal.Passive); err != nil {
			w.b.log.Debug("checkpoint between groups", "cause", err)
		}
		return time.Time{}, true
	case others > 0:
		w.copied = false
		if w.gather(others) {
			return time.Time{}, true // a ring came, or somebody who waits
		}
		return w.write(ctx, normal)
	case eager:
		return w.write(ctx, -1)
	case dirty:
		if w.pause() {
			return time.Time{}, true
		}
		return w.write(ctx, -1)
	}
	return time.Time{}, false
}

// waiting counts what is not in the journal yet, by lane.
func (b *Bus) waiting() (rings, others int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tails[critical].pending()), len(b.tails[normal].pending())
}

func (b *Bus) unsaved() (any, eager bool) {
	b.dirtyMu.Lock()
	defer b.dirtyMu.Unlock()
	return len(b.dirty) > 0, b.eager
}

// Groups: alone, an event is committed at once. Where commits follow one another at
// once, it is tried from time to time whether waiting a moment gathers more, and
// while it does, groups are made; one publisher that waits for each answer is not
// slowed down by it.
const (
	probeEvery = 256
	probeWait  = time.Millisecond
	probeWorth = 4
)

// awaited tells whether somebody waits for the answer of what is not in the journal yet.
func (b *Bus) awaited() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.tails[normal].pending(), (*entry).awaited)
}

// rest lets events gather for which nobody waits; true: a ring came, or an event
// for which somebody does.
func (w *writer) rest() bool {
	if _, eager := w.b.unsaved(); eager {
		return false
	}
	now := time.Now()
	if w.rested.IsZero() {
		w.rested = now.Add(restWait)
	}
	left := w.rested.Sub(now) // less each time: rings that break in do not put it off for ever
	return left > 0 && w.sleep(left, true)
}

// gather waits for more of a group; true: something else is to be looked at first.
func (w *writer) gather(have int) (other bool) {
	if have >= groupSize {
		return false
	}
	if !w.b.awaited() {
		return w.rest()
	}
	wait := groupWait
	if !w.grouped {
		if w.probe++; w.probe < probeEvery {
			return false
		}
		w.probe, wait = 0, probeWait
	}
	if _, eager := w.b.unsaved(); eager {
		return false
	}
	ring := w.sleep(wait, false)
	rings, others := w.b.waiting()
	if rings == 0 {
		w.grouped = others >= probeWorth
	}
	return ring
}

// pause lets acknowledgements gather; true: there is something else to do.
func (w *writer) pause() bool { return w.sleep(groupWait, false) }

// sleep waits, but for a ring or a full group, and resting also for an event that
// somebody waits for; true: it was cut short by a ring or such an event.
func (w *writer) sleep(wait time.Duration, resting bool) bool {
	w.b.setGathering(true, resting)
	defer w.b.setGathering(false, false)
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return false
		case <-w.b.wake:
			rings, others := w.b.waiting()
			if rings > 0 || resting && w.b.awaited() {
				return true
			}
			if _, eager := w.b.unsaved(); eager || others >= groupSize {
				return false
			}
		}
	}
}

func (b *Bus) setGathering(on, resting bool) {
	b.mu.Lock()
	b.gathering, b.resting = on, resting
	b.mu.Unlock()
}

// write commits a group of the lane (-1: cursors alone) and tells who waits.
func (w *writer) write(ctx context.Context, kind int) (next time.Time, busy bool) {
	var group []*entry
	var durable [lanes]uint64
	w.b.mu.Lock()
	for i := range w.b.tails {
		durable[i] = w.b.tails[i].durable
	}
	if kind == normal {
		w.rested = time.Time{}
	}
	if kind >= 0 {
		p := w.b.tails[kind].pending()
		group = append(group, p[:min(len(p), groupSize)]...)
	}
	w.b.mu.Unlock()

	repeats, n, progressed, err := w.commit(ctx, kind, group, durable)
	if err != nil {
		for i := range progressed {
			progressed[i].saved(false)
		}
		w.b.markAgain(progressed)
		return w.failed(ctx, err)
	}
	w.emptied = false
	w.b.written(kind, group[:n], repeats)
	behind := progressed[:0]
	for i := range progressed {
		p := progressed[i]
		p.saved(true)
		if p.cursor < p.acked { // acknowledged before it was durable
			behind = append(behind, p)
		}
	}
	if rings, others := w.b.waiting(); rings+others > 0 { // with what makes it so
		w.b.markAgain(behind)
	}
	return time.Time{}, true
}

// failed decides when to try again after a commit that did not go through.
func (w *writer) failed(ctx context.Context, cause error) (next time.Time, busy bool) {
	if store.IsFull(cause) && !w.emptied {
		w.emptied = true // once for each success: the -wal's own room, where the file has some
		if w.b.journal.Checkpoint(ctx, journal.Passive) == nil {
			return time.Time{}, true
		}
	}
	if w.b.stopped(cause) { // the ballast made room: for the file, and for the -wal after it
		if err := w.b.journal.Checkpoint(ctx, journal.Truncate); err != nil {
			w.b.log.Debug("checkpoint on a full disk", "cause", err)
		}
		return time.Time{}, true
	}
	w.retry = time.Now().Add(retryAfter)
	return w.retry, false
}

// commit writes as much of the group as goes before a ring comes.
func (w *writer) commit(ctx context.Context, kind int, group []*entry, durable [lanes]uint64) (repeats map[uint64]struct{}, n int, done []progress, err error) {
	repeats = map[uint64]struct{}{}
	err = w.file.Write(ctx, kind == critical, func(g *journal.Group) error {
		for n = 0; n < len(group); n++ {
			if kind == normal && n > 0 && w.b.rings.Load() > 0 {
				break
			}
			if err := insert(ctx, g, group[n], repeats); err != nil {
				return err
			}
		}
		if n > 0 {
			durable[kind] = group[n-1].Event.Seq
		}
		// A ring waits for no cursors but new ones: without them a taker that subscribed
		// a moment ago would begin after the ring if the hub died now.
		done = w.b.collect(durable, kind == critical)
		for i := range done {
			if err := save(ctx, g, &done[i]); err != nil {
				return err
			}
		}
		if w.b.opts.CommitDelay > 0 {
			time.Sleep(w.b.opts.CommitDelay)
		}
		if hook := w.b.opts.beforeCommit; hook != nil {
			return hook()
		}
		return nil
	})
	return repeats, n, done, err
}

// insert writes one event. repeats gets it if the journal knew its id.
func insert(ctx context.Context, g *journal.Group, n *entry, repeats map[uint64]struct{}) error {
	if n.Class == event.ClassState {
		if n.superseded.Load() {
			return nil
		}
		return g.State(ctx, &n.Row)
	}
	repeat, err := g.Event(ctx, &n.Row)
	if repeat {
		repeats[n.Event.Seq] = struct{}{}
	}
	return err
}

func save(ctx context.Context, g *journal.Group, p *progress) error {
	now := time.Now()
	if p.write {
		if err := g.Cursor(ctx, p.taker, p.kind, p.cursor, now); err != nil {
			return err
		}
	}
	for _, id := range p.ids {
		if err := g.Handled(ctx, p.taker, id, now); err != nil {
			return err
		}
	}
	return nil
}

// collect takes the lanes whose cursor is to be written; only new ones on request.
func (b *Bus) collect(durable [lanes]uint64, fresh bool) []progress {
	b.dirtyMu.Lock()
	var take []*Lane
	for l := range b.dirty {
		if fresh && !l.fresh.Load() {
			continue
		}
		take = append(take, l)
		delete(b.dirty, l)
	}
	b.eager = b.eager && len(b.dirty) > 0
	b.dirtyMu.Unlock()
	out := make([]progress, 0, len(take))
	for _, l := range take {
		if p := l.progress(durable[l.kind]); p.write || len(p.ids) > 0 || len(p.saves) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func (b *Bus) markAgain(ps []progress) {
	b.dirtyMu.Lock()
	defer b.dirtyMu.Unlock()
	for i := range ps {
		b.dirty[ps[i].lane] = struct{}{}
	}
}

// written marks the group as durable and answers its publishers.
func (b *Bus) written(kind int, group []*entry, repeats map[uint64]struct{}) {
	b.resumed()
	if b.journal.WALSize() >= journal.WALTidy {
		signal(b.tidy)
	}
	if len(group) == 0 {
		return
	}
	type told struct {
		waiters []waiter
		res     event.Result
	}
	var tell []told
	b.mu.Lock()
	b.tails[kind].wrote(group[len(group)-1].Event.Seq, func(n *entry) {
		res := event.Result{Outcome: event.Durable, Seq: n.Event.Seq}
		if _, is := repeats[n.Event.Seq]; is {
			res.Outcome = event.Duplicate
			b.count.duplicates++
		} else {
			b.count.durable++
		}
		if n.waiters != nil {
			tell = append(tell, told{n.waiters, res})
			n.waiters = nil
		}
	})
	b.rings.Store(int32(len(b.tails[critical].pending())))
	b.mu.Unlock()
	for _, t := range tell {
		answerAll(t.waiters, t.res)
	}
}
