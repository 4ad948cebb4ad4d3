package port

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// firstTime is how long a connection may take to say its first byte.
	firstTime = 5 * time.Second
	// sortingMost bounds the connections that have not said a byte yet.
	sortingMost = 256
	// handshake is the first byte of a TLS connection (RFC 8446, section 5.1); no HTTP
	// request begins with it.
	handshake = 0x16
)

// Split makes two listeners of one: of connections that begin a TLS handshake, and
// of the others.
func Split(ln net.Listener) (secret, clear net.Listener) {
	s := &splitter{ln: ln, gone: make(chan struct{})}
	// Without buffer: a connection is the taker's, or still the sorter's to close.
	a, b := &half{splitter: s, conns: make(chan net.Conn)}, &half{splitter: s, conns: make(chan net.Conn)}
	s.sorting.Go(func() { s.run(a, b) })
	return a, b
}

type splitter struct {
	ln      net.Listener
	gone    chan struct{} // closed when it ends
	sorting sync.WaitGroup

	mu     sync.Mutex
	err    error      // why it ended
	silent []net.Conn // those that have said nothing yet, the oldest first; at most sortingMost
}

func (s *splitter) run(secret, clear *half) {
	wait := time.Duration(0)
	for {
		c, err := s.ln.Accept()
		if passing(err) {
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(wait):
				continue
			case <-s.gone:
				return
			}
		}
		if err != nil {
			s.end(fmt.Errorf("port: %w", err)) // as another type: net/http would ask again for ever
			return
		}
		wait = 0
		if !s.admit(c) {
			c.Close()
			return
		}
		s.sorting.Go(func() { s.sort(c, secret, clear) })
	}
}

// passing tells whether the next connection may well be taken: this one went away, or
// the process has no file descriptor left for now.
func passing(err error) bool {
	for _, e := range []error{syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit keeps a connection in mind until it says something. In a crowd the one that is
// silent longest goes: who has something to say says it at once.
func (s *splitter) admit(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	if len(s.silent) >= sortingMost {
		s.silent[0].Close()
		s.silent = slices.Delete(s.silent, 0, 1)
	}
	s.silent = append(s.silent, c)
	return true
}

// sort waits for the first byte, which decides.
func (s *splitter) sort(c net.Conn, secret, clear *half) {
	first := make([]byte, 1)
	err := c.SetReadDeadline(time.Now().Add(firstTime))
	if err == nil {
		_, err = c.Read(first)
	}
	s.mu.Lock()
	if i := slices.Index(s.silent, c); i >= 0 {
		s.silent = slices.Delete(s.silent, i, i+1)
	}
	s.mu.Unlock()
	if err != nil || c.SetReadDeadline(time.Time{}) != nil {
		c.Close()
		return
	}
	to := clear
	if first[0] == handshake {
		to = secret
	}
	select {
	case to.conns <- &begun{Conn: c, first: first}:
	case <-s.gone:
		c.Close()
	}
}

// end lets go of everything that nobody has taken.
func (s *splitter) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	close(s.gone)
	for _, c := range s.silent {
		c.Close()
	}
}

// half is one of the two listeners. Closing it closes both.
type half struct {
	*splitter
	conns chan net.Conn
}

func (h *half) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.gone:
		h.mu.Lock()
		defer h.mu.Unlock()
		return nil, h.err
	}
}

func (h *half) Addr() net.Addr { return h.ln.Addr() }

func (h *half) Close() error {
	err := h.ln.Close()
	h.end(net.ErrClosed)
	h.sorting.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // the other half was closed first
	}
	return err
}

// begun is a connection whose first byte was read.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
