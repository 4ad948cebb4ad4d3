package child

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Process is a child that does not outlive this one.
type Process struct {
	// In and Out are this end of its input and output; deadlines work on both.
	In, Out *os.File

	cmd  *exec.Cmd
	text *tail
	done chan struct{} // closed when it has ended and nothing of it is left
}

// Start runs the program at path, with pipes to and from it and nothing else.
func Start(path string, args ...string) (*Process, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		_, _ = in.Close(), childIn.Close()
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	p, err := run(cmd)
	_, _ = childIn.Close(), childOut.Close() // or its end would not be seen here
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, err
	}
	p.In, p.Out = in, out
	return p, nil
}

// End ends it and waits until it is gone.
func (p *Process) End() {
	p.Kill()
	_ = p.In.Close()
	_ = p.Out.Close()
	<-p.done
}

// Done is closed when it has ended and nothing of it is left.
func (p *Process) Done() <-chan struct{} { return p.done }

// run starts cmd in a process group of its own. The thread that starts it stays for as
// long as it runs, since the kernel ends a child with the thread that made it. Then it ends
// too, because what seal has done to it is not for others.
func run(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, text: &tail{}, done: make(chan struct{})}
	cmd.Stderr = p.text
	cmd.WaitDelay = time.Second // for what a child of it may have kept of stderr
	confine(cmd)
	started := make(chan error, 1) // one answer, which may come after nobody waits
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		err := seal()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			limit(cmd.Process.Pid)
		}
		started <- err
		if err != nil {
			return
		}
		awaitEnd(cmd.Process.Pid) // its number is still its own, so
		killGroup(cmd.Process.Pid)
		_ = cmd.Wait() // how it ended is seen in what it said
	}()
	return p, <-started
}

// Kill may come at any time.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// PID of it, or of its wrapper.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended reports whether it has, or does within d.
func (p *Process) Ended(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

// Said is what it wrote last on stderr.
func (p *Process) Said() string { return strings.TrimSpace(p.text.String()) }
