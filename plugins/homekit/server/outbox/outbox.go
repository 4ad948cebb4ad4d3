package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
)

const (
	// Limit is how long a peer may take nothing.
	Limit = 5 * time.Second
	// Room is how many presses wait for one peer before it is given up.
	Room = 64

	piece = 16 * frame.Most // text handed to the socket at once, each under a limit of its own
)

// ErrFull ends a connection whose peer left too many presses waiting.
var ErrFull = errors.New("outbox: press: too many wait for this peer")

// ErrClosed is for what comes after the end.
var ErrClosed = errors.New("outbox: closed")

// Outbox is the way out to one peer.
type Outbox struct {
	conn net.Conn

	mu   sync.Mutex
	q    queue
	err  error         // why it ended; nil while it lives
	over bool          // the writer has ended too
	end  chan struct{} // closed with err
	wake chan struct{} // 1: one token says that the queue is not empty

	// The writer's own.
	sealer *frame.Sealer
	buf    []byte
}

// New is an outbox that speaks in the clear until an answer says otherwise. Nothing is
// written before Run.
func New(conn net.Conn) *Outbox {
	return &Outbox{
		conn: conn,
		q:    queue{changes: map[ID]json.RawMessage{}},
		end:  make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
}

// Run writes until Close or the first error, which closes the socket; it returns why,
// after every press that still waited was told so.
func (o *Outbox) Run() error {
	err := o.run()
	for {
		o.mu.Lock()
		left := o.q.presses
		o.q.presses = nil
		o.over = len(left) == 0
		o.mu.Unlock()
		if len(left) == 0 {
			return err
		}
		for _, p := range left {
			p.tell(err)
		}
	}
}

func (o *Outbox) run() error {
	for {
		select {
		case <-o.end:
			return o.Err()
		case <-o.wake:
		}
		for {
			o.mu.Lock()
			if o.err != nil {
				o.mu.Unlock()
				return o.Err()
			}
			p, a, events := o.q.next()
			o.mu.Unlock()
			if p == nil && a == nil && events == nil {
				break
			}
			if err := o.out(p, a, events); err != nil {
				o.Close(err)
			}
		}
	}
}

func (o *Outbox) out(p *Press, a *answer, events []byte) error {
	switch {
	case p != nil:
		if p.Claim != nil && !p.Claim() {
			return nil
		}
		err := o.write(p.Message)
		p.tell(err)
		return err
	case a != nil:
		err := o.write(a.message)
		if a.then != nil {
			o.sealer = a.then
		}
		a.done <- err
		return err
	}
	return o.write(events)
}

func (o *Outbox) write(message []byte) error {
	for len(message) > 0 {
		n := min(len(message), piece)
		text := message[:n]
		if o.sealer != nil {
			o.buf = o.sealer.Seal(o.buf[:0], text)
			text = o.buf
		}
		if err := o.conn.SetWriteDeadline(time.Now().Add(Limit)); err != nil {
			return fmt.Errorf("outbox: write: %w", err)
		}
		if _, err := o.conn.Write(text); err != nil {
			return fmt.Errorf("outbox: write: %w", err)
		}
		message = message[n:]
	}
	return nil
}

// Press puts p in. An error says that it was not taken, because the connection has ended or
// ends here with too many waiting; then nobody is told but the caller. What was put in is
// told once, unless it is not claimed.
func (o *Outbox) Press(p Press) error {
	o.mu.Lock()
	switch {
	case o.over:
		defer o.mu.Unlock()
		return o.err
	case len(o.q.presses) >= Room:
		o.mu.Unlock()
		o.Close(ErrFull)
		return ErrFull
	}
	o.q.presses = append(o.q.presses, p) // after an error too: the writer still tells
	o.mu.Unlock()
	o.call()
	return nil
}

// Change puts a new value in, in place of an older one of the same characteristic that
// still waits.
func (o *Outbox) Change(c Change) {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return
	}
	o.q.change(c)
	o.mu.Unlock()
	o.call()
}

// Mark is the moment now, for Answer.
func (o *Outbox) Mark() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.q.order
}

// Hold keeps back all that is put in from now on until the next answer, which must follow
// at once: a peer hears nothing of what it subscribed to before it knows that it did.
func (o *Outbox) Hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.q.held = true
}

// Answer puts in a response whose working out began at mark, and waits until its bytes are
// with the network. From the next byte on all is sealed by then, when there is one. One at
// a time.
func (o *Outbox) Answer(message []byte, mark uint64, then *frame.Sealer) error {
	a := &answer{message: message, then: then, mark: mark, done: make(chan error, 1)}
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return o.Err()
	}
	if o.q.answer != nil {
		o.mu.Unlock()
		return errors.New("outbox: answer: another one waits")
	}
	o.q.answer = a
	o.mu.Unlock()
	o.call()
	select {
	case err := <-a.done:
		return err
	case <-o.end:
		select {
		case err := <-a.done: // both are true: it was written
			return err
		default:
		}
		return o.Err()
	}
}

// Close ends it for the reason given and closes the socket. Only the first reason counts.
func (o *Outbox) Close(why error) {
	if why == nil {
		why = ErrClosed
	}
	o.mu.Lock()
	first := o.err == nil
	if first {
		o.err = why
		close(o.end)
	}
	o.mu.Unlock()
	if first {
		o.conn.Close() // ends a write that is under way; the writer tells of what waits
	}
}

// Done is closed when it has ended.
func (o *Outbox) Done() <-chan struct{} { return o.end }

// Err is why it ended; nil while it lives.
func (o *Outbox) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *Outbox) call() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
