package runner

import (
	"sync"
	"time"
)

// listAge is how old the list of all processes may be that plugins are measured by.
const listAge = time.Second

// Sampler measures processes, one after the other and by one reading of /proc for
// all: fifty plugins that each read it whole, at once, take both cores of a small
// machine for as long as a ring may take.
type Sampler struct {
	mu   sync.Mutex
	list []task
	read time.Time
}

// Sample takes in the runner's descendants and measures it with them; false: the
// process is gone. A descendant younger than listAge may be left to the next time.
func (s *Sampler) Sample(r *Runner) (Usage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.list == nil || now.Sub(s.read) > listAge {
		s.list, s.read = tasks(), now
	}
	r.look(s.list, s.read)
	return r.Measure()
}
