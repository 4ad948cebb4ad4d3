package av

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ClosedByPeer is the reason that the other end gave for closing a connection.
type ClosedByPeer struct{ Reason string }

func (e *ClosedByPeer) Error() string { return "media socket: closed by the other end: " + e.Reason }

// FrameWriter gathers frames and writes them in one system call, within the credit that
// the other end gives. One goroutine writes; one of its own reads the credits and
// ends when the connection is closed.
type FrameWriter struct {
	conn net.Conn

	bufs   net.Buffers
	heads  []byte // headers and small payloads of the frames in bufs
	queued int    // bytes in bufs

	mu          sync.Mutex
	outstanding int
	err         error
	credited    chan struct{} // size 1: "look again"
	done        chan struct{} // closed when the credit reader has ended
}

// NewFrameWriter writes to conn, and reads credits from it.
func NewFrameWriter(conn net.Conn) *FrameWriter {
	w := &FrameWriter{conn: conn, credited: make(chan struct{}, 1), done: make(chan struct{})}
	go w.readCredits()
	return w
}

// Unit adds u to what the next Flush writes. Its data must stay as it is until then.
func (w *FrameWriter) Unit(u *Unit) {
	var f Flags
	if u.Key {
		f |= FlagKey
	}
	if u.Discontinuity {
		f |= FlagDiscontinuity
	}
	w.add(Header{Length: uint32(len(u.Data)), Track: u.Track, Flags: f, PTS: u.PTS, DTS: u.DTS,
		Wall: u.Wall.UnixNano(), Generation: u.Generation}, u.Data)
}

// Track adds the description of t.
func (w *FrameWriter) Track(t Track) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("media socket: track %d: %w", t.ID, err)
	}
	w.add(Header{Length: uint32(len(b)), Track: t.ID, Flags: FlagConfig, Generation: t.Generation}, b)
	return nil
}

// End adds the last frame; an empty reason says that all is as planned.
func (w *FrameWriter) End(reason string) {
	reason = reason[:min(len(reason), maxReason)]
	w.add(Header{Length: uint32(len(reason)), Flags: FlagEnd}, []byte(reason))
}

func (w *FrameWriter) add(h Header, data []byte) {
	// heads may move while it grows; the buffers handed out before keep the old array.
	n := len(w.heads)
	w.heads = h.Append(w.heads)
	w.bufs = append(w.bufs, w.heads[n:len(w.heads):len(w.heads)])
	if len(data) > 0 {
		w.bufs = append(w.bufs, data)
	}
	w.queued += HeaderSize + len(data)
}

// Queued is how many bytes the next Flush writes.
func (w *FrameWriter) Queued() int { return w.queued }

// Room reports whether size more payload bytes fit the window beside what is queued.
func (w *FrameWriter) Room(size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil || w.room(size)
}

func (w *FrameWriter) room(size int) bool {
	out := w.outstanding + w.queued
	return out < CreditStep || out+HeaderSize+size <= Window
}

// Wait returns when size more payload bytes may be added, the connection broke, or ctx ended.
func (w *FrameWriter) Wait(ctx context.Context, size int) error {
	for {
		w.mu.Lock()
		err, ok := w.err, w.room(size)
		w.mu.Unlock()
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		}
		select {
		case <-w.credited:
		case <-w.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Flush writes what was added. A write that makes no progress for stall (0: for ever) fails,
// and the connection is of no more use.
func (w *FrameWriter) Flush(stall time.Duration) error {
	if w.queued == 0 {
		return w.Err()
	}
	w.mu.Lock()
	w.outstanding += w.queued
	w.mu.Unlock()
	if stall > 0 {
		if err := w.conn.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return fmt.Errorf("media socket: deadline: %w", err)
		}
	}
	bufs := w.bufs // WriteTo moves the slice that it is called on
	_, err := bufs.WriteTo(w.conn)
	clear(w.bufs)
	w.bufs, w.heads, w.queued = w.bufs[:0], w.heads[:0], 0
	if err != nil {
		if e := w.closedByPeer(); e != nil {
			return e
		}
		return fmt.Errorf("media socket: write: %w", err)
	}
	return nil
}

// Err is why nothing more can be sent; nil while something can.
func (w *FrameWriter) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Done is closed when the other end has gone.
func (w *FrameWriter) Done() <-chan struct{} { return w.done }

// Close closes the connection and waits for the credit reader.
func (w *FrameWriter) Close() error {
	err := w.conn.Close()
	<-w.done
	return err
}

// closedByPeer prefers the reason that the other end gave to the broken pipe it left.
func (w *FrameWriter) closedByPeer() error {
	// The reason was sent before the close, so it is already in our receive buffer.
	select {
	case <-w.done:
	case <-time.After(time.Second):
	}
	var p *ClosedByPeer
	if errors.As(w.Err(), &p) {
		return p
	}
	return nil
}

func (w *FrameWriter) readCredits() {
	defer close(w.done)
	r := bufio.NewReaderSize(w.conn, 256)
	for {
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			w.fail(fmt.Errorf("media socket: %w", closedAs(err)))
			return
		}
		n := binary.LittleEndian.Uint32(b[:])
		if n == creditClosing {
			w.fail(&ClosedByPeer{Reason: readReason(r)})
			return
		}
		w.mu.Lock()
		bad := int64(n) > int64(w.outstanding)
		if !bad {
			w.outstanding -= int(n)
		}
		w.mu.Unlock()
		if bad {
			w.fail(errors.New("media socket: credit for more than was sent"))
			_ = w.conn.Close()
			return
		}
		select {
		case w.credited <- struct{}{}:
		default:
		}
	}
}

func readReason(r io.Reader) string {
	var b [2]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return ""
	}
	text := make([]byte, min(int(binary.LittleEndian.Uint16(b[:])), maxReason))
	n, _ := io.ReadFull(r, text)
	return string(text[:n])
}

func (w *FrameWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// closedAs makes the end of the bytes and our own close one error.
func closedAs(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return net.ErrClosed
	}
	return err
}
