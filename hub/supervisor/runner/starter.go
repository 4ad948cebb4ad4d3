package runner

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
)

// ErrClosed: the starter has ended, and with it every process that it started.
var ErrClosed = errors.New("supervisor: start a process: the hub is stopping")

// Starter forks all plugins from one thread that lives as long as the hub: the
// kernel sends a child its parent-death signal when the *thread* that forked it
// ends (prctl(2), PR_SET_PDEATHSIG), and Go ends threads as it likes.
type Starter struct {
	requests chan startRequest // no size: a start is one fork, callers wait for it
	quit     chan struct{}
	once     sync.Once
	ended    chan struct{}
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error // size 1: the thread never waits for the asker
}

// NewStarter begins the thread; Close ends it.
func NewStarter() *Starter {
	s := &Starter{requests: make(chan startRequest), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.serve()
	return s
}

func (s *Starter) serve() {
	defer close(s.ended)
	// Never unlocked: the thread ends with this goroutine.
	runtime.LockOSThread()
	for {
		select {
		case r := <-s.requests:
			r.done <- r.cmd.Start()
		case <-s.quit:
			return
		}
	}
}

// Start forks cmd from the starter's thread.
func (s *Starter) Start(cmd *exec.Cmd) error {
	r := startRequest{cmd: cmd, done: make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.done
	case <-s.ended:
		return ErrClosed
	}
}

// Close ends the thread; the kernel kills what it started and still lives.
func (s *Starter) Close() {
	s.once.Do(func() { close(s.quit) })
	<-s.ended
}
