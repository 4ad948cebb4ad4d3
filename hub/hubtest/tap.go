package hubtest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Tap is a wire between a hub and a camera that counts what a camera would hold
// against its owner: connections, and logins that were tried.
type Tap struct {
	ln net.Listener

	mu     sync.Mutex
	to     string
	conns  map[net.Conn]bool
	count  int
	logins int
}

// NewTap puts one before the camera at the address.
func NewTap(tb testing.TB, to string) *Tap {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	t := &Tap{ln: ln, to: to, conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { t.pass(c) })
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		t.Cut()
		all.Wait()
	})
	return t
}

// Address to give to the hub in place of the camera's.
func (t *Tap) Address() string { return t.ln.Addr().String() }

// Connections is how many there were.
func (t *Tap) Connections() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Logins is how often a description was asked for with a password.
func (t *Tap) Logins() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.logins
}

// Open is how many connections are open.
func (t *Tap) Open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.conns) / 2
}

// Cut closes all connections.
func (t *Tap) Cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		c.Close()
	}
}

func (t *Tap) pass(hub net.Conn) {
	defer hub.Close()
	camera, err := net.Dial("tcp", t.to)
	if err != nil {
		return
	}
	defer camera.Close()
	t.mu.Lock()
	t.count++
	t.conns[hub], t.conns[camera] = true, true
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.conns, hub)
		delete(t.conns, camera)
		t.mu.Unlock()
	}()
	r, w := io.Pipe()
	var ways sync.WaitGroup
	ways.Go(func() { t.listen(r) })
	ways.Go(func() {
		_, _ = io.Copy(hub, camera) // either end closes
		hub.Close()
	})
	_, _ = io.Copy(camera, io.TeeReader(hub, w)) // either end closes
	camera.Close()
	w.Close()
	ways.Wait()
}

// listen counts requests for a description that carry a login. What a hub sends between
// its requests, reports of reception, holds no such line.
func (t *Tap) listen(r *io.PipeReader) {
	lines := bufio.NewReader(r)
	asks := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			_, _ = io.Copy(io.Discard, r) // the other way must not wait for us
			return
		}
		switch {
		case strings.Contains(line, "DESCRIBE rtsp"):
			asks = true
		case strings.TrimSpace(line) == "":
			asks = false
		case asks && strings.HasPrefix(line, "Authorization:"):
			asks = false
			t.mu.Lock()
			t.logins++
			t.mu.Unlock()
		}
	}
}
