package convert

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// steady: an ffmpeg that ran for so long has not failed at its start.
	steady = time.Minute
	// hung: an ffmpeg that has given nothing for so long, and has hungFilm waiting, gives
	// nothing any more.
	hung     = 10 * time.Second
	hungFilm = 2 * time.Second
	// settleTime is what ffmpeg gets at most to catch up with what the ring held.
	settleTime = 3 * time.Second
	// settled: no further behind than this is what ffmpeg is at any time.
	settled = 300 * time.Millisecond
)

// errHung: it takes units and gives none.
var errHung = errors.New("ffmpeg has given nothing for 10 s")

// machine is one ffmpeg that turns units into others. Put is for one goroutine, Next for
// another.
type machine interface {
	Put(u *av.Unit, recv time.Time) error
	Next() (*av.Unit, time.Time, error)
	Track() av.Track
	Behind() time.Duration
	Said() string
	PID() int
	End()
}

// line is a machine that is started anew when it has ended, each time a little later.
type line struct {
	open func(said string) (machine, error)          // said: the last words of the one before
	out  func(m machine, u *av.Unit, recv time.Time) // what was made, in order
	now  func() time.Time
	log  *slog.Logger
	work sync.WaitGroup
	turn sync.Mutex // held while out runs: of one machine after another

	mu    sync.Mutex
	m     machine // nil: it rests
	began time.Time
	// moving is when it was begun, or gave something last.
	moving time.Time
	fails  int
	until  time.Time // rests until then
	why    error     // it failed last
	said   string
	made   uint64 // units
	fresh  bool   // the next unit has none before it
	moved  chan struct{}
}

func newLine(open func(string) (machine, error), out func(machine, *av.Unit, time.Time), now func() time.Time, log *slog.Logger) *line {
	// moved has one place: it says that something has happened, however much.
	return &line{open: open, out: out, now: now, log: log, moved: make(chan struct{}, 1)}
}

// put hands a unit in; while ffmpeg rests it is lost.
func (l *line) put(u *av.Unit, recv time.Time) {
	m := l.machine()
	if m == nil {
		return
	}
	if l.fresh {
		mine := *u
		mine.Discontinuity = true
		u, l.fresh = &mine, false
	}
	err := m.Put(u, recv)
	if err == nil && l.hangs(m) {
		err = errHung
	}
	if err != nil {
		l.fell(m, err)
	}
}

// hangs reports whether m takes units and gives none.
func (l *line) hangs(m machine) bool {
	l.mu.Lock()
	quiet := l.now().Sub(l.moving)
	l.mu.Unlock()
	return quiet > hung && m.Behind() > hungFilm
}

// machine is the one that runs, started if it may be.
func (l *line) machine() machine {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m != nil || l.now().Before(l.until) {
		return l.m
	}
	m, err := l.open(l.said)
	if err != nil {
		l.rest(err)
		return nil
	}
	l.fresh = l.fresh || l.fails > 0
	l.m, l.began, l.moving = m, l.now(), l.now()
	l.work.Go(func() { l.take(m) })
	return m
}

// take hands out what m makes until it ends.
func (l *line) take(m machine) {
	for {
		u, recv, err := m.Next()
		if err != nil {
			l.fell(m, err)
			return
		}
		l.turn.Lock()
		l.out(m, u, recv)
		l.turn.Unlock()
		l.mu.Lock()
		l.made++
		l.moving = l.now()
		l.mu.Unlock()
		l.signal()
	}
}

func (l *line) signal() {
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// fell ends m, which did not do what it should.
func (l *line) fell(m machine, err error) {
	l.mu.Lock()
	if l.m != m {
		l.mu.Unlock()
		return
	}
	l.m = nil
	if l.now().Sub(l.began) > steady {
		l.fails = 0
	}
	m.End()
	l.said = m.Said()
	l.rest(explain(err, l.said))
	l.mu.Unlock()
	l.signal()
}

// rest sets when it is tried again; l is locked.
func (l *line) rest(why error) {
	l.why = why
	l.fails++
	l.until = l.now().Add(restFor(l.fails))
	l.log.Warn("ffmpeg has ended", "err", why, "again_in", l.until.Sub(l.now()))
}

// restFor so many failures in a row.
func restFor(fails int) time.Duration {
	return min(500*time.Millisecond<<min(fails-1, 6), 30*time.Second)
}

// settle waits until what was put in has come out, or not for longer than settleTime.
func (l *line) settle(done <-chan struct{}) {
	limit := time.NewTimer(settleTime)
	defer limit.Stop()
	for {
		l.mu.Lock()
		ok := l.m == nil || l.m.Behind() < settled
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-l.moved:
		case <-limit.C:
			return
		case <-done:
			return
		}
	}
}

// trouble is why nothing comes, and whether anything ever did.
func (l *line) trouble() (fails int, made bool, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fails, l.made > 0, l.why
}

func (l *line) pid() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		return 0
	}
	return l.m.PID()
}

// end stops it for good and waits.
func (l *line) end() {
	l.mu.Lock()
	l.until = l.now().Add(100 * 365 * 24 * time.Hour)
	if l.m != nil {
		l.m.End() // under the lock, so that who ends it too waits as long
		l.m = nil
	}
	l.mu.Unlock()
	l.work.Wait()
}
