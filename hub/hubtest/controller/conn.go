package controller

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/seal"
)

const (
	// maxFrame is the most that a frame may hold (HAP 6.5.2).
	maxFrame = 1024
	// maxEvents that wait to be taken; who does not take them is a fault of the test.
	maxEvents = 4096
)

// Errors of a connection.
var (
	ErrEvents = errors.New("controller: the test does not take its events")
	ErrFrame  = errors.New("controller: a frame of more than 1024 bytes")
)

// Conn is one connection to an accessory: in clear until Verify, sealed after it.
type Conn struct {
	Controller *Controller
	Accessory  Accessory // once verified
	// Secret of pair-verify, from which other keys are made.
	Secret [32]byte
	// FrameSize is how much of what is sent goes into one frame: 1024 unless set.
	FrameSize int

	net net.Conn
	in  *bufio.Reader

	asking sync.Mutex // one request at a time

	out     sync.Mutex
	sealed  bool
	outKey  [32]byte
	outNext uint64

	answers chan Answer // room for what a test asks for at once
	events  chan Event  // maxEvents
	done    chan struct{}
	reading sync.WaitGroup

	mu  sync.Mutex
	err error // why it ended; set before done is closed
}

func newConn(c *Controller, conn net.Conn) *Conn {
	return &Conn{Controller: c, FrameSize: maxFrame, net: conn, in: bufio.NewReader(conn), answers: make(chan Answer, 256), events: make(chan Event, maxEvents), done: make(chan struct{})}
}

// Raw is the connection below, for who wants to send what no controller sends.
func (x *Conn) Raw() net.Conn { return x.net }

// Local is this end's address.
func (x *Conn) Local() net.IP { return x.net.LocalAddr().(*net.TCPAddr).IP }

// Events as they come; it is closed when the connection has ended.
func (x *Conn) Events() <-chan Event { return x.events }

// Done is closed when a verified connection has ended.
func (x *Conn) Done() <-chan struct{} { return x.done }

// Err is why it ended.
func (x *Conn) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Close ends it.
func (x *Conn) Close() {
	_ = x.net.Close() // it may be closed
	x.reading.Wait()
}

// seal makes all that follows sealed, and starts to read by itself.
func (x *Conn) seal(read, write [32]byte) {
	x.out.Lock()
	x.sealed, x.outKey = true, write
	x.out.Unlock()
	x.in = bufio.NewReader(&frames{from: x.in, key: read})
	_ = x.net.SetDeadline(time.Time{})
	x.reading.Go(x.listen)
}

// listen reads until the connection ends.
func (x *Conn) listen() {
	err := x.read()
	_ = x.net.Close() // it may be closed
	x.mu.Lock()
	x.err = err
	x.mu.Unlock()
	close(x.done)
	close(x.events)
}

func (x *Conn) read() error {
	for {
		if _, err := x.in.Peek(1); err != nil {
			return err
		}
		at := time.Now()
		a, err := readAnswer(x.in)
		if err != nil {
			return err
		}
		if !a.event {
			select {
			case x.answers <- a:
			default:
				return fmt.Errorf("controller: an answer %d that nobody asked for", a.Status)
			}
			continue
		}
		e, err := parseEvent(a, at)
		if err != nil {
			return err
		}
		select {
		case x.events <- e:
		default:
			return ErrEvents
		}
	}
}

// Write sends bytes as they are, in frames once the connection is sealed.
func (x *Conn) Write(b []byte) (int, error) {
	x.out.Lock()
	defer x.out.Unlock()
	if !x.sealed {
		return x.net.Write(b)
	}
	var all []byte
	for rest := b; len(rest) > 0; {
		n := min(x.FrameSize, len(rest))
		all = append(all, x.frame(rest[:n])...)
		rest = rest[n:]
	}
	if _, err := x.net.Write(all); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Frame seals bytes as the next frame and does not send it. What is not sent, or sent
// twice, the other side must refuse.
func (x *Conn) Frame(b []byte) []byte {
	x.out.Lock()
	defer x.out.Unlock()
	return x.frame(b)
}

func (x *Conn) frame(b []byte) []byte {
	length := binary.LittleEndian.AppendUint16(nil, uint16(len(b)))
	sealed := seal.Seal(x.outKey, seal.Counter(x.outNext), b, length)
	x.outNext++
	return append(length, sealed...)
}

// frames reads sealed frames.
type frames struct {
	from io.Reader
	key  [32]byte
	next uint64
	rest []byte
}

func (f *frames) Read(b []byte) (int, error) {
	for len(f.rest) == 0 {
		var length [2]byte
		if _, err := io.ReadFull(f.from, length[:]); err != nil {
			return 0, err
		}
		n := int(binary.LittleEndian.Uint16(length[:]))
		if n > maxFrame {
			return 0, ErrFrame
		}
		sealed := make([]byte, n+seal.Overhead)
		if _, err := io.ReadFull(f.from, sealed); err != nil {
			return 0, err
		}
		plain, err := seal.Open(f.key, seal.Counter(f.next), sealed, length[:])
		if err != nil {
			return 0, fmt.Errorf("controller: frame %d of %d bytes: %w", f.next, n, err)
		}
		f.next++
		f.rest = plain
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Ask sends a request and waits for its answer.
func (x *Conn) Ask(ctx context.Context, method, path, contentType string, body []byte) (Answer, error) {
	x.asking.Lock()
	defer x.asking.Unlock()
	if !x.sealed {
		stop := context.AfterFunc(ctx, func() { _ = x.net.SetDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	if _, err := x.Write(Request(method, path, x.net.RemoteAddr().String(), contentType, body)); err != nil {
		return Answer{}, fmt.Errorf("controller: %s %s: %w", method, path, err)
	}
	a, err := x.Answer(ctx)
	if err != nil {
		return a, fmt.Errorf("controller: %s %s: %w", method, path, err)
	}
	return a, nil
}

// Answer waits for the answer to a request that Write sent.
func (x *Conn) Answer(ctx context.Context) (Answer, error) {
	if !x.sealed {
		return readAnswer(x.in)
	}
	select {
	case a := <-x.answers:
		return a, nil
	case <-x.done:
		select { // it may have come before the end
		case a := <-x.answers:
			return a, nil
		default:
			return Answer{}, x.Err()
		}
	case <-ctx.Done():
		_ = x.net.Close() // the answer would be taken for the next one's
		return Answer{}, ctx.Err()
	}
}
