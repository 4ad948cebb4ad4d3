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
	build func() *exec.Cmd
	done  chan started // size 1: the thread never waits for the asker
}

type started struct {
	cmd    *exec.Cmd
	walled bool
	err    error
}

// NewStarter begins the thread; Close ends it. walls: each child gets a PID namespace
// where the machine allows it.
func NewStarter(walls bool) *Starter {
	s := &Starter{requests: make(chan startRequest), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.serve(walls)
	return s
}

func (s *Starter) serve(walls bool) {
	defer close(s.ended)
	// Never unlocked: the thread ends with this goroutine.
	runtime.LockOSThread()
	for {
		select {
		case r := <-s.requests:
			var a started
			a, walls = fork(r.build, walls)
			r.done <- a
		case <-s.quit:
			return
		}
	}
}

// fork starts the child in a PID namespace of its own where this machine lets us, and
// does not ask again once it has refused.
func fork(build func() *exec.Cmd, walls bool) (started, bool) {
	if cmd := build(); walls && wall(cmd.SysProcAttr) {
		err := cmd.Start()
		if err == nil {
			return started{cmd: cmd, walled: true}, true
		}
	}
	cmd := build()
	err := cmd.Start()
	// Where the plain fork fails too, the namespace was not what was wrong.
	return started{cmd: cmd, err: err}, walls && err != nil
}

// Start forks what build makes from the starter's thread. build may be called twice.
func (s *Starter) Start(build func() *exec.Cmd) (cmd *exec.Cmd, walled bool, err error) {
	r := startRequest{build: build, done: make(chan started, 1)}
	select {
	case s.requests <- r:
		a := <-r.done
		return a.cmd, a.walled, a.err
	case <-s.ended:
		return nil, false, ErrClosed
	}
}

// Close ends the thread; the kernel kills what it started and still lives.
func (s *Starter) Close() {
	s.once.Do(func() { close(s.quit) })
	<-s.ended
}
