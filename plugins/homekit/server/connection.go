package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/pairing"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/outbox"
)

const (
	// patience is how long a request may take to arrive before pair-verify, quiet how long
	// nothing may be asked. Afterwards neither counts: a controller may be silent for days.
	patience = 10 * time.Second
	quiet    = 60 * time.Second

	// eager is how many requests are answered at once before pair-verify, and lingering how
	// long each further one waits.
	eager     = 32
	lingering = 100 * time.Millisecond

	// ahead is how many requests a controller may send while one is answered.
	ahead = 4
)

// connection is one TCP connection. Its reader reads and, until pair-verify, answers; then
// a second goroutine answers, so that the end of the connection is seen while it does. The
// outbox's writer is the third.
type connection struct {
	s             *Server
	id            uint64
	net           net.Conn
	out           *outbox.Outbox
	ctx           context.Context
	cancel        context.CancelFunc
	local, remote netip.AddrPort
	since         time.Time
	leave         func()       // says that it is a guest no more
	last          atomic.Int64 // unix nanoseconds of the newest request
	asked         atomic.Bool  // anything that was whole, before pair-verify

	// Of the server's lock.
	peer *Peer // nil until verified
	subs map[*attribute.Attribute]struct{}

	// The answering goroutine's own.
	verified pairing.Verified
	prepared *prepared
}

func (s *Server) newConnection(ctx context.Context, nc net.Conn, id uint64) *connection {
	c := &connection{
		s: s, id: id, net: nc, out: outbox.New(nc),
		local: addrPort(nc.LocalAddr()), remote: addrPort(nc.RemoteAddr()),
		since: time.Now(), leave: sync.OnceFunc(s.guests.left),
		subs: map[*attribute.Attribute]struct{}{},
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// run is the connection's life.
func (c *connection) run() {
	defer c.leave()
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() { c.out.Run() })
	stop := context.AfterFunc(c.ctx, func() { c.out.Close(outbox.ErrClosed) })
	defer stop()

	err := errors.New("homekit server: connection: went wrong")
	defer func() { c.end(err) }()
	c.guard("connection", func() {
		var in *http1.Stream
		if in, err = c.greet(); err == nil {
			err = c.converse(in)
		}
	})
}

// end closes and forgets, for the first reason that there was.
func (c *connection) end(err error) {
	c.out.Close(err)
	if why := c.out.Err(); why != nil {
		err = why
	}
	c.cancel()
	c.s.forget(c, err)
	c.s.desk.Gone(pairing.ConnID(c.id))
}

// greet serves what is allowed in the clear until pair-verify is through. The key is
// changed here, between two requests: nobody else reads.
func (c *connection) greet() (*http1.Stream, error) {
	in := http1.New(c.net)
	verify := c.s.desk.NewVerify()
	for n := 0; ; n++ {
		if err := c.linger(n); err != nil {
			return nil, err
		}
		if err := c.wait(in); err != nil {
			return nil, err
		}
		r, body, err := in.Next()
		if err != nil {
			return nil, c.refuse(err)
		}
		c.asked.Store(true)
		if r.URL.Path == "/pair-verify" && r.Method == http.MethodPost {
			answer, done := verify.Handle(body)
			if done == nil {
				if err := c.answer(pairs(answer), 0, nil); err != nil {
					return nil, err
				}
				continue
			}
			return c.secure(in, answer, *done)
		}
		if err := c.answer(c.s.inTheClear(c.id, r, body), 0, nil); err != nil {
			return nil, err
		}
		if r.Close {
			return nil, io.EOF
		}
	}
}

// linger makes a guest wait who has asked n times. Pairing takes five requests; one that asks
// without end would keep a processor busy.
func (c *connection) linger(n int) error {
	if n < eager {
		return nil
	}
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.out.Done():
		return c.out.Err()
	}
}

// wait gives the peer time to ask, and from the first byte on patience.
func (c *connection) wait(in *http1.Stream) error {
	if err := c.net.SetReadDeadline(time.Now().Add(quiet)); err != nil {
		return fmt.Errorf("homekit server: read: %w", err)
	}
	if err := in.Wait(); err != nil {
		return fmt.Errorf("homekit server: read: %w", err)
	}
	if err := c.net.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("homekit server: read: %w", err)
	}
	return nil
}

// secure sends the last message of pair-verify and changes to frames both ways.
func (c *connection) secure(in *http1.Stream, answer []byte, v pairing.Verified) (*http1.Stream, error) {
	sealer, err := frame.NewSealer(v.Read)
	if err != nil {
		return nil, err
	}
	frames, err := frame.NewReader(in.Raw(), v.Write)
	if err != nil {
		return nil, err
	}
	if err := c.net.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("homekit server: read: %w", err)
	}
	c.verified = v
	if !c.s.admit(c) {
		return nil, c.refuse(&http1.Refusal{Status: http.StatusServiceUnavailable})
	}
	if err := c.answer(pairs(answer), 0, sealer); err != nil {
		return nil, err
	}
	return http1.New(frames), nil
}

// request is one that waits to be answered.
type request struct {
	r    *http.Request
	body []byte
}

// converse reads requests for the answering goroutine until the connection ends.
func (c *connection) converse(in *http1.Stream) error {
	asked := make(chan request, ahead)
	var answering sync.WaitGroup
	answering.Go(func() { c.serve(asked) })
	err := c.read(in, asked)
	close(asked)
	var why *http1.Refusal
	if !errors.As(err, &why) {
		c.end(err) // before the wait: whoever is called back must hear of it
	}
	answering.Wait()
	if why != nil {
		return c.refuse(err)
	}
	return err
}

func (c *connection) read(in *http1.Stream, asked chan<- request) error {
	for {
		r, body, err := in.Next()
		if err != nil {
			return err
		}
		c.last.Store(c.s.o.Now().UnixNano())
		select {
		case asked <- request{r, body}:
		case <-c.out.Done():
			return c.out.Err()
		}
	}
}

// serve answers one request after the other.
func (c *connection) serve(asked <-chan request) {
	ctx := WithPeer(c.ctx, c.peer)
	for q := range asked {
		if c.ctx.Err() != nil {
			continue
		}
		mark := c.out.Mark()
		q.r.RemoteAddr = c.remote.String()
		a := c.safely(q.r.WithContext(ctx), q.body)
		if err := c.answer(a, mark, nil); err != nil {
			continue
		}
		if a.After != nil {
			c.guard(q.r.URL.Path, a.After)
		}
		if q.r.Close {
			c.out.Close(io.EOF)
		}
	}
}

// safely answers for a callback that panics.
func (c *connection) safely(r *http.Request, body []byte) http1.Reply {
	a := told(http.StatusInternalServerError, attribute.Unreachable)
	c.guard(r.URL.Path, func() { a = c.route(r, body) })
	return a
}

// guard keeps a panic to what it happened in.
func (c *connection) guard(what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.s.log.Error("a request went wrong", "of", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// answer sends a and waits until its bytes are with the network.
func (c *connection) answer(a http1.Reply, mark uint64, then *frame.Sealer) error {
	return c.out.Answer(a.Message(), mark, then)
}

// refuse answers a request that was not understood, and is the end.
func (c *connection) refuse(err error) error {
	var why *http1.Refusal
	if errors.As(err, &why) {
		if err := c.answer(told(why.Status, attribute.Invalid), 0, nil); err != nil {
			return err
		}
	}
	return err
}
