package supervisor

import "time"

// Clock is the time by which backoff, health and sampling go. Deadlines of calls
// to a plugin are real time.
type Clock interface {
	Now() time.Time
	// After fires once; stop releases it.
	After(d time.Duration) (fired <-chan time.Time, stop func())
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
