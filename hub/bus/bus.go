package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

const (
	// seqGap is what the numbers jump by at each start: more than can have been
	// given and not journalled, so that none is given twice.
	seqGap = 1 << 20
	// urgentInbox and inbox bound what publishers may have handed over before the
	// loop takes it; the loop never waits, so they only smooth bursts.
	urgentInbox = 1000
	inbox       = 1024
	// maxSubjects bounds the state that is kept; a house has some dozens.
	maxSubjects = 10_000
	// lastRings are read at the start: more than a house has presses within a debounce.
	lastRings = 64
	// defaultRetain is how long the journal keeps events unless told otherwise.
	defaultRetain = 30 * 24 * time.Hour
)

// Errors that callers decide by.
var (
	ErrClosed    = errors.New("bus: closed")
	ErrNotFound  = errors.New("bus: no such event")
	ErrNameTaken = errors.New("bus: a taker of this name is subscribed already")
)

// Options of a bus.
type Options struct {
	// Journal is the path of journal.db.
	Journal string
	// Debounce tells within which time a second press of the camera counts as the
	// same. Called from the loop: it must not block. Nil: never.
	Debounce func(camera string) time.Duration
	// Retain is how long events are kept; 0: 30 days.
	Retain time.Duration
	// Ballast is the size of the file that is given up first on a full disk; 0: 16
	// MiB, negative: none.
	Ballast int64
	Log     *slog.Logger
	// CommitDelay is for tests: how long the journal waits before each commit, which
	// widens the window in which an event is handed over and not yet journalled.
	CommitDelay time.Duration
	// beforeCommit is called by the writer, for this package's tests; its error is
	// taken for the commit's.
	beforeCommit func() error
}

// Bus is one bus with its journal.
type Bus struct {
	opts    Options
	log     *slog.Logger
	journal *journal.Journal
	ballast *journal.Ballast
	start   time.Time // ages of this run count from here, by its monotonic reading
	first   uint64    // numbers above it were given in this run

	urgent  chan *entry // size urgentInbox
	normal  chan *entry // size inbox
	closed  chan struct{}
	sending sync.RWMutex // read-held while a publisher hands over
	wake    chan struct{}
	horizon atomic.Int64 // ids made before it (ms) may be in the journal and not in ids
	rings   atomic.Int32 // taken and not in the journal: the writer breaks off a group for them

	finishWAL atomic.Bool // housekeeping has copied the -wal, and the writer is to copy the rest

	ids     *idRing          // of the loop alone
	presses map[string]press // last ring taken, by camera; of the loop alone
	tidy    chan struct{}    // size 1: housekeeping is wanted now

	mu        sync.Mutex
	seq       uint64
	tails     [lanes]tail
	state     map[string]*entry
	subs      map[*Subscription]struct{}
	names     map[string]*Subscription
	parted    map[string][lanes]*Lane    // of takers that left, by name
	routes    map[string][]*Subscription // by subject, made on demand
	gathering bool                       // the writer waits for more of a group
	resting   bool                       // and nobody waits for what it has
	trouble   JournalState
	watchers  map[chan JournalState]struct{}
	count     counts

	dirtyMu sync.Mutex
	dirty   map[*Lane]struct{} // lanes whose cursor is to be written
	eager   bool               // one of them at once
}

// Open opens the journal, or makes it, and the bus on top of it. A journal of a
// newer Porchlight gives an error with code E-STORE-NEWER and is not touched. Serve
// must be called for anything to be delivered, and closes the journal at its end.
func Open(ctx context.Context, o Options) (*Bus, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Debounce == nil {
		o.Debounce = func(string) time.Duration { return 0 }
	}
	if o.Retain <= 0 {
		o.Retain = defaultRetain
	}
	if o.Ballast == 0 {
		o.Ballast = ballastSize
	}
	b := &Bus{
		opts: o, log: o.Log.With("part", "bus"), start: time.Now(),
		urgent: make(chan *entry, urgentInbox), normal: make(chan *entry, inbox),
		closed: make(chan struct{}),
		wake:   make(chan struct{}, 1), tidy: make(chan struct{}, 1), // size 1: a wake-up is remembered, not counted
		ids: newIDRing(), presses: map[string]press{},
		state: map[string]*entry{}, subs: map[*Subscription]struct{}{}, names: map[string]*Subscription{}, parted: map[string][lanes]*Lane{},
		routes: map[string][]*Subscription{}, watchers: map[chan JournalState]struct{}{}, dirty: map[*Lane]struct{}{},
	}
	j, err := journal.Open(ctx, o.Journal)
	if err != nil {
		return nil, err
	}
	j.Unreadable = func(err error) { b.log.Warn("a row of the journal cannot be read and is passed over", "err", err) }
	b.journal, b.ballast = j, j.Ballast(o.Ballast)
	if err := b.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bus: read journal: %w", err), j.Close())
	}
	return b, nil
}

// load takes up where the journal's last run ended.
func (b *Bus) load(ctx context.Context) error {
	last, lastID, err := b.journal.Last(ctx)
	if err != nil {
		return err
	}
	if last > 0 {
		b.seq = last + seqGap
	}
	b.first = b.seq
	for i := range b.tails {
		b.tails[i].floor, b.tails[i].durable = b.seq, b.seq
	}
	b.horizon.Store(max(b.start.UnixMilli(), idMillis(lastID)+1))
	states, err := b.journal.States(ctx)
	if err != nil {
		return err
	}
	for _, r := range states {
		b.state[r.Event.Subject] = back(r)
	}
	// The last press of each camera, so that a restart does not open its debounce.
	rings, err := b.journal.Rings(ctx, lastRings)
	for _, r := range rings {
		if _, later := b.presses[r.Event.Camera]; !later && r.Event.Camera != "" && r.Event.Type == event.TypeRing {
			b.presses[r.Event.Camera] = press{r.Event.Received, r.Event.Seq}
		}
	}
	return err
}

// Serve runs the bus until ctx ends: then it takes what was handed over before,
// writes the journal and closes it. It is called once.
func (b *Bus) Serve(ctx context.Context) error {
	w := newWriter(b)
	stop := make(chan struct{}) // closed when the loop has taken the last event
	var workers sync.WaitGroup
	workers.Go(func() { w.run(stop) })
	workers.Go(func() { b.housekeep(stop) })
	b.loop(ctx)
	close(stop)
	workers.Wait()
	b.mu.Lock()
	for s := range b.subs {
		s.end()
	}
	b.mu.Unlock()
	return b.journal.Close()
}

// Publish hands the event over and never waits for the disk. An error means that it
// was not taken, and done is not called. Otherwise done, which may be nil, is called
// exactly once, from one of the bus's goroutines, and must not block.
func (b *Bus) Publish(ctx context.Context, e event.Event, done func(event.Result, error)) error {
	n, err := b.prepare(&e)
	if err != nil {
		return err
	}
	n.waiters = []waiter{{done: done}}
	if res, known := b.inJournal(ctx, n); known {
		n.answer(res)
		return nil
	}
	in := b.normal
	if n.kind == critical {
		in = b.urgent
	}
	b.sending.RLock()
	defer b.sending.RUnlock()
	select {
	case <-b.closed:
		return ErrClosed
	default:
	}
	select {
	case in <- n:
		return nil
	case <-b.closed:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("bus: publish %s: %w", e.Subject, ctx.Err())
	}
}

// PublishWait publishes and waits for the answer.
func (b *Bus) PublishWait(ctx context.Context, e event.Event) (event.Result, error) {
	type answer struct {
		res event.Result
		err error
	}
	got := make(chan answer, 1) // size 1: the one answer, also when nobody waits any more
	err := b.Publish(ctx, e, func(r event.Result, err error) { got <- answer{r, err} })
	if err != nil {
		return event.Result{Outcome: event.Rejected}, err
	}
	select {
	case a := <-got:
		return a.res, a.err
	case <-ctx.Done():
		return event.Result{}, fmt.Errorf("bus: publish %s: %w", e.Subject, ctx.Err())
	}
}

// prepare checks and encodes, in the publisher's own goroutine.
func (b *Bus) prepare(e *event.Event) (*entry, error) {
	class := e.Class()
	if class == event.ClassUnknown {
		return nil, fmt.Errorf("bus: publish: unknown type %.40q", e.Type)
	}
	if err := event.CheckSubject(e.Subject); err != nil {
		return nil, fmt.Errorf("bus: publish: %w", err)
	}
	id, err := uuid.Parse(e.ID)
	if err != nil || id.Version() != 7 {
		return nil, fmt.Errorf("bus: publish %s: id %.40q is no UUIDv7", e.Subject, e.ID)
	}
	n := &entry{Row: journal.Row{ID: id, Class: class, Event: *e}, kind: laneOf(class)}
	n.Event.ID, n.Event.Seq, n.Event.Received, n.Event.TimeReplaced = id.String(), 0, time.Time{}, false
	if class == event.ClassDebug {
		return n, nil
	}
	if n.Body, err = event.Marshal(&n.Event); err != nil {
		return nil, fmt.Errorf("bus: publish %s: encode: %w", e.Subject, err)
	}
	if len(n.Body) > event.MaxSize {
		return nil, fmt.Errorf("bus: publish %s: %d bytes, at most %d", e.Subject, len(n.Body), event.MaxSize)
	}
	return n, nil
}

// inJournal looks up ids that are older than the ring of ids reaches, as when a
// publisher sends again after the hub's restart. Newer ones cost no look.
func (b *Bus) inJournal(ctx context.Context, n *entry) (event.Result, bool) {
	if n.Class > event.ClassNormal || idMillis(n.ID) >= b.horizon.Load() {
		return event.Result{}, false
	}
	seq, err := b.journal.SeqOf(ctx, n.ID)
	if err != nil { // not there, or not readable: then the taker's own dedupe must do
		return event.Result{}, false
	}
	b.mu.Lock()
	b.count.duplicates++
	b.mu.Unlock()
	return event.Result{Outcome: event.Duplicate, Seq: seq}, true
}

// idMillis is the time of a UUIDv7 (RFC 9562 5.7: its first 48 bits), in ms.
func idMillis(id uuid.UUID) int64 {
	var ms int64
	for _, x := range id[:6] {
		ms = ms<<8 | int64(x)
	}
	return ms
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
