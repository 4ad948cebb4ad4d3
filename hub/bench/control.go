package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// control is the bench's end of all parts' sockets.
type control struct {
	l       net.Listener
	mu      sync.Mutex
	parts   map[string]*remote
	changed chan struct{} // closed and replaced when a part comes
}

// remote is one part.
type remote struct {
	name string
	pid  int
	conn net.Conn

	mu      sync.Mutex
	number  int
	waiting map[int]chan part.Answer // by order; each has room for its one answer
}

func newControl(socket string) (*control, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	c := &control{l: l, parts: map[string]*remote{}, changed: make(chan struct{})}
	go c.accept() // ends when the listener closes
	return c, nil
}

func (c *control) Close() { c.l.Close() }

func (c *control) socket() string { return c.l.Addr().String() }

func (c *control) accept() {
	for {
		conn, err := c.l.Accept()
		if err != nil {
			return
		}
		go c.serve(&remote{conn: conn, waiting: map[int]chan part.Answer{}}) // ends with its connection
	}
}

func (c *control) serve(r *remote) {
	defer r.conn.Close()
	answers := json.NewDecoder(bufio.NewReader(r.conn))
	var a part.Answer
	if answers.Decode(&a) != nil {
		return
	}
	r.name, r.pid = a.Name, peerPID(r.conn)
	c.mu.Lock()
	c.parts[r.name] = r
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	for {
		var a part.Answer
		if answers.Decode(&a) != nil {
			break
		}
		r.settle(a)
	}
	c.mu.Lock()
	if c.parts[r.name] == r {
		delete(c.parts, r.name)
	}
	c.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.waiting {
		w <- part.Answer{Err: "the process ended"}
	}
	clear(r.waiting)
}

// peerPID is the process at the other end by our own numbers: a plugin may live in a
// namespace in which it has another.
func peerPID(c net.Conn) int {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) { // fails only where the connection has gone
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

func (r *remote) settle(a part.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, ok := r.waiting[a.Number]; ok {
		delete(r.waiting, a.Number)
		w <- a
	}
}

// await waits until all the named parts are there.
func (c *control) await(ctx context.Context, names ...string) error {
	for {
		c.mu.Lock()
		missing, changed := "", c.changed
		for _, n := range names {
			if c.parts[n] == nil {
				missing = n
			}
		}
		c.mu.Unlock()
		if missing == "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("part %s did not come: %w", missing, ctx.Err())
		}
	}
}

// cpu is what the named parts' processes ran so far.
func (c *control) cpu(names []string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := time.Duration(0)
	for _, n := range names {
		if r := c.parts[n]; r != nil {
			sum += cpuTime(r.pid)
		}
	}
	return sum
}

// send gives an order and does not wait for the answer.
func (c *control) send(name string, o part.Order) (<-chan part.Answer, error) {
	c.mu.Lock()
	r := c.parts[name]
	c.mu.Unlock()
	if r == nil {
		return nil, fmt.Errorf("part %s is not there", name)
	}
	w := make(chan part.Answer, 1) // its one answer
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	o.Number = r.number
	r.waiting[o.Number] = w
	if err := json.NewEncoder(r.conn).Encode(o); err != nil {
		delete(r.waiting, o.Number)
		return nil, fmt.Errorf("part %s: %w", name, err)
	}
	return w, nil
}

// ask gives an order and waits for the answer.
func (c *control) ask(ctx context.Context, name string, o part.Order) (part.Answer, error) {
	w, err := c.send(name, o)
	if err != nil {
		return part.Answer{}, err
	}
	select {
	case a := <-w:
		if a.Err != "" && a.Sent == 0 {
			return a, fmt.Errorf("part %s: %s: %w", name, o.Op, errors.New(a.Err))
		}
		return a, nil
	case <-ctx.Done():
		return part.Answer{}, fmt.Errorf("part %s: %s: %w", name, o.Op, ctx.Err())
	}
}
