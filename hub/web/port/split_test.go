package port

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener whose connections and errors a test says.
type scripted struct {
	next chan any // net.Conn or error; unbuffered
	gone chan struct{}
	once sync.Once
}

func newScripted() *scripted { return &scripted{next: make(chan any), gone: make(chan struct{})} }

func (l *scripted) Accept() (net.Conn, error) {
	select {
	case x := <-l.next:
		if err, ok := x.(error); ok {
			return nil, err
		}
		return x.(net.Conn), nil
	case <-l.gone:
		return nil, net.ErrClosed
	}
}

func (l *scripted) Close() error {
	err := net.ErrClosed
	l.once.Do(func() { close(l.gone); err = nil })
	return err
}

func (l *scripted) Addr() net.Addr { return &net.TCPAddr{} }

// said gives what a listener's next connection says first.
func said(t *testing.T, ln net.Listener, n int) string {
	t.Helper()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheFirstByteDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newScripted()
		secret, clear := Split(ln)
		for text, at := range map[string]net.Listener{"GET /": clear, "\x16\x03\x01": secret, "\x00": clear} {
			a, b := net.Pipe()
			ln.next <- a
			go func() { _, _ = b.Write([]byte(text)) }()
			if got := said(t, at, len(text)); got != text {
				t.Errorf("%q became %q", text, got)
			}
		}
		if err := errors.Join(secret.Close(), clear.Close()); err != nil {
			t.Error(err)
		}
		if _, err := clear.Accept(); err == nil {
			t.Error("it goes on after its end")
		}
	})
}

// TestTheSilentGo: after their time, when there are too many, and at the end.
func TestTheSilentGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newScripted()
		secret, clear := Split(ln)
		defer secret.Close()
		mine := make([]net.Conn, sortingMost+10)
		for i := range mine {
			var hubs net.Conn
			hubs, mine[i] = net.Pipe()
			ln.next <- hubs
		}
		synctest.Wait()
		for i, want := range map[int]bool{0: true, 9: true, 10: false, len(mine) - 1: false} {
			_ = mine[i].SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := mine[i].Read(make([]byte, 1)); errors.Is(err, io.EOF) != want {
				t.Errorf("%d: %v", i, err)
			}
		}
		// Who says something comes through the crowd.
		a, b := net.Pipe()
		ln.next <- a
		go func() { _, _ = b.Write([]byte("G")) }()
		if got := said(t, clear, 1); got != "G" {
			t.Error(got)
		}
		time.Sleep(firstTime)
		synctest.Wait()
		if _, err := mine[200].Write([]byte("G")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after its time: %v", err)
		}
	})
}

func TestNobodyTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newScripted()
		secret, clear := Split(ln)
		a, b := net.Pipe()
		ln.next <- a
		go func() { _, _ = b.Write([]byte("G")) }() // sorted, and never taken
		c, d := net.Pipe()
		ln.next <- c // silent
		synctest.Wait()
		if err := clear.Close(); err != nil {
			t.Error(err)
		}
		for _, x := range []net.Conn{b, d} {
			if _, err := x.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("still open: %v", err)
			}
		}
		if err := secret.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestErrorsThatPass: without file descriptors the port waits and goes on; what does
// not pass ends both, with an error that nobody takes for a passing one.
func TestErrorsThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newScripted()
		secret, clear := Split(ln)
		for range 20 {
			ln.next <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}
		}
		a, b := net.Pipe()
		ln.next <- a
		go func() { _, _ = b.Write([]byte("\x16")) }()
		if got := said(t, secret, 1); got != "\x16" {
			t.Error(got)
		}
		ln.next <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EBADF)}
		_, err := clear.Accept()
		if _, looksPassing := err.(net.Error); err == nil || looksPassing || !errors.Is(err, syscall.EBADF) {
			t.Errorf("%T %v", err, err)
		}
		_ = secret.Close()
	})
}
