package supervisor

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// provenAfter is how long a new config must run before the one before it is forgotten.
const provenAfter = 60 * time.Second

// instance is one configured plugin over all its lives. Its serve goroutine owns
// the state; others leave their wish and knock.
type instance struct {
	s     *Supervisor
	name  string
	book  *logbook
	knock chan struct{} // size 1: a wish is there, one knock is enough for many
	quit  chan struct{} // closed by leave
	ended chan struct{} // closed when serve has returned
	once  sync.Once

	spawned bool // serve runs or ran; the supervisor's mutex guards it

	// Of the serve goroutine alone.
	ladder   ladder
	good     *Spec // the last that ran for provenAfter
	distrust *Spec // the one that failed within provenAfter
	why      *fault.Failure
	taken    Spec // the wish when the life began
	lives    int
	revision uint64 // of the config, over all lives

	mu      sync.Mutex
	wish    Spec
	restart bool
	st      Status
	desc    *pb.Description
	life    *life // the one that takes commands; nil: none
}

func newInstance(s *Supervisor, spec Spec) *instance {
	i := &instance{
		s: s, name: spec.Name, wish: spec, book: newLogbook(s.o.Mask),
		knock: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	i.st = Status{Name: spec.Name, State: Stopped, Optional: spec.Optional, Since: s.o.Clock.Now()}
	if spec.Disabled {
		i.st.State = Disabled
	}
	return i
}

// ending is how a life ended.
type ending struct {
	failure *fault.Failure // nil: it was asked to
	asked   string         // why it was: shutdown, removed, restart, config
	tried   *Spec          // what it was given last; nil: what it was started with
}

func (i *instance) serve(ctx context.Context) {
	defer close(i.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-i.quit:
			cancel()
		case <-stop:
		}
	}()
	for ctx.Err() == nil {
		spec := i.next()
		if spec.Disabled {
			i.set(func(st *Status) { *st = bare(st, Disabled) })
			i.await(ctx, nil)
			continue
		}
		i.after(ctx, spec, i.guarded(ctx, spec))
	}
	i.set(func(st *Status) { *st = bare(st, Stopped) })
}

// guarded keeps a programmer's mistake in this room from ending the hub.
func (i *instance) guarded(ctx context.Context, spec Spec) (e ending) {
	defer func() {
		if r := recover(); r != nil {
			i.s.log.Error("a rule of the supervisor was broken", "plugin", i.name, "panic", r, "stack", string(debug.Stack()))
			e = ending{failure: fault.New(fault.Start, "report it, with the log", "the hub's own mistake: %v", r)}
		}
	}()
	return i.live(ctx, spec)
}

// after decides what follows a life, and waits until it is time for the next.
func (i *instance) after(ctx context.Context, spec Spec, e ending) {
	if ctx.Err() != nil || e.failure == nil {
		return
	}
	f := e.failure
	if e.tried != nil {
		spec = *e.tried
	}
	i.note("error", f.Reason)
	if i.good != nil && i.distrust == nil && !(sameProcess(*i.good, spec) && sameConfig(*i.good, spec)) {
		// The new one failed before it was proven: back to the one before.
		i.distrust, i.why = &spec, f
		i.note("warn", "the new config failed; the last good one is used again")
		return
	}
	pause, again := time.Duration(0), false
	if !f.Blocked {
		pause, again = i.ladder.next(i.s.o.Clock.Now(), spec.Restart)
	}
	state, reason := Backoff, f.Reason
	switch {
	case f.Blocked:
		state, pause = Blocked, slowTry
	case !again:
		state, pause = Failed, slowTry
		reason = fmt.Sprintf("stopped after %d restarts within %s: %s", spec.Restart.Max, spec.Restart.Per, f.Reason)
	}
	fired, stop := i.s.o.Clock.After(pause)
	defer stop()
	i.set(func(st *Status) {
		*st = bare(st, state)
		st.Code, st.Reason, st.Fix = f.ID, reason, f.Fix
		st.NextTry = i.s.o.Clock.Now().Add(pause)
		st.Warning = spec.Optional
		for _, l := range i.book.last(50) {
			st.LastLog = append(st.LastLog, l.Text)
		}
	})
	i.await(ctx, fired)
}

// bare keeps what is true in every state.
func bare(st *Status, s State) Status {
	return Status{
		Name: st.Name, State: s, Optional: st.Optional, Since: st.Since, Restarts: st.Restarts, ID: st.ID, Title: st.Title,
		Version: st.Version, Capabilities: st.Capabilities, Actions: st.Actions, Missing: st.Missing, Sandbox: st.Sandbox,
		UnknownMessages: st.UnknownMessages, LateReplies: st.LateReplies, DroppedLines: st.DroppedLines,
	}
}

// await waits for the time of the next try (nil: for ever), or a wish that changes things.
func (i *instance) await(ctx context.Context, fired <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-fired:
			return
		case <-i.knock:
		}
		i.mu.Lock()
		asked, changed := i.restart, !sameProcess(i.taken, i.wish) || !sameConfig(i.taken, i.wish)
		i.mu.Unlock()
		if asked || changed {
			i.ladder.rest()
			return
		}
	}
}

// next takes the wish for a new life: the config that is wanted, or the last good
// one where the wanted one has failed.
func (i *instance) next() Spec {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.taken = i.wish
	if i.restart {
		i.restart = false
		i.ladder.rest()
		i.distrust, i.why = nil, nil
	}
	if i.distrust != nil && sameProcess(*i.distrust, i.wish) && sameConfig(*i.distrust, i.wish) {
		return *i.good
	}
	i.distrust, i.why = nil, nil
	return i.wish
}

func (i *instance) want(spec Spec) {
	i.mu.Lock()
	same := sameProcess(i.wish, spec) && sameConfig(i.wish, spec) && sameWatch(i.wish, spec)
	i.wish = spec
	i.st.Optional = spec.Optional
	i.mu.Unlock()
	if !same {
		i.wake()
	}
}

func (i *instance) askRestart() {
	i.mu.Lock()
	i.restart = true
	i.mu.Unlock()
	i.wake()
}

func (i *instance) wake() {
	select {
	case i.knock <- struct{}{}:
	default:
	}
}

// leave ends the instance; ended tells when.
func (i *instance) leave() { i.once.Do(func() { close(i.quit) }) }

// left tells whether the entry is gone from the config.
func (i *instance) left() bool {
	select {
	case <-i.quit:
		return true
	default:
		return false
	}
}

// set changes the status and tells the host, in the order of the changes.
func (i *instance) set(change func(*Status)) {
	i.mu.Lock()
	before := i.st
	change(&i.st)
	// What others hold of the lists from before does not change under them.
	i.st.Parts, i.st.Missing, i.st.Actions = slices.Clone(i.st.Parts), slices.Clone(i.st.Missing), slices.Clone(i.st.Actions)
	i.st.tidy(i.book.mask)
	if i.st.State != before.State {
		i.st.Since = i.s.o.Clock.Now()
	}
	copied := i.st
	i.mu.Unlock()
	told := copied.State == before.State && copied.Code == before.Code && copied.Reason == before.Reason && copied.PID == before.PID
	if i.s.o.Host != nil && !told {
		i.s.o.Host.StateChanged(copied)
	}
}

func (i *instance) status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.st
}

func (i *instance) description() *pb.Description {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.desc
}

// note is a line of the hub's own in the plugin's log.
func (i *instance) note(level, text string) {
	i.book.add(LogLine{Time: i.s.o.Clock.Now(), Level: level, Origin: "hub", Text: text})
}
