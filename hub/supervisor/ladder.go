package supervisor

import (
	"math/rand/v2"
	"time"
)

// The rungs of the backoff: the first restart is near-immediate, since a press may
// be waiting. Each carries a fifth of jitter, so that plugins that died together do
// not start together.
const (
	jitter       = 0.2
	healthyAfter = 5 * time.Minute  // running so long forgets what was before
	slowTry      = 15 * time.Minute // one try for a plugin that has failed or is blocked
)

func rungs() []time.Duration {
	return []time.Duration{
		100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second,
		5 * time.Second, 15 * time.Second, 30 * time.Second, 60 * time.Second,
	}
}

// ladder counts the deaths of one plugin.
type ladder struct {
	deaths []time.Time // within Restart.Per
	step   int
}

// next says when to start again after a death at now; false: not again.
func (l *ladder) next(now time.Time, r Restart) (time.Duration, bool) {
	kept := l.deaths[:0]
	for _, t := range l.deaths {
		if now.Sub(t) < r.Per {
			kept = append(kept, t)
		}
	}
	l.deaths = append(kept, now)
	if len(l.deaths) > r.Max {
		return 0, false
	}
	d := rung(l.step, r)
	l.step++
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64())), true
}

// rung is the pause without jitter: the ladder scaled so that it begins at First,
// and never longer than Longest.
func rung(step int, r Restart) time.Duration {
	all := rungs()
	d := all[min(step, len(all)-1)]
	return min(time.Duration(float64(d)*float64(r.First)/float64(all[0])), r.Longest)
}

// rest forgets: the plugin was healthy for long enough, or a person asked.
func (l *ladder) rest() { *l = ladder{} }
