package talk

import "time"

const (
	// tooEarly: when the door has so much that it has not said yet, more would make it late.
	tooEarly = 500 * time.Millisecond
	// caughtUp: once it had too much, nothing more goes to it until so little is left.
	caughtUp = 100 * time.Millisecond
)

// pace knows how much the door has not said yet, by the clock.
type pace struct {
	ahead    time.Duration
	at       time.Time // when ahead was counted
	dropping bool
}

// take reports whether the door can have more.
func (p *pace) take(now time.Time) bool {
	p.ahead = max(0, p.ahead-now.Sub(p.at))
	p.at = now
	p.dropping = p.ahead >= tooEarly || p.dropping && p.ahead > caughtUp
	return !p.dropping
}

// gave counts what went to the door.
func (p *pace) gave(d time.Duration) { p.ahead += d }
