package mse

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// stall: a connection that takes nothing for so long is closed.
	stall = 10 * time.Second
	// writePiece is what must go within stall; less than 4 KB a second is no live picture.
	writePiece = 32 << 10
)

// progressConn gives each piece of a write its own deadline, give or take a second, so that a slow line may take
// its time over a big key frame and a dead one may not. One write is at a time: those of
// the WebSocket's library, each a whole frame, and those of fragments with their header.
type progressConn struct {
	net.Conn
	turn sync.Mutex
	set  time.Time // when the deadline was set last
}

func (c *progressConn) Write(p []byte) (n int, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	for len(p) > 0 {
		piece := p[:min(len(p), writePiece)]
		if now := time.Now(); now.Sub(c.set) > stall/10 { // a frame spares the setting of a timer
			c.set = now
			if err := c.SetWriteDeadline(now.Add(stall)); err != nil {
				return n, err
			}
		}
		m, err := c.Conn.Write(piece)
		n += m
		if err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}

// hijacker hands out a progressConn, and keeps it.
type hijacker struct {
	http.ResponseWriter
	conn *progressConn
}

// Hijack takes the connection over. Its writer holds any frame that the library sends, so
// that each goes in one call.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw.Writer.Buffered() > 0 {
		if err := rw.Flush(); err != nil {
			return nil, nil, errors.Join(err, c.Close())
		}
	}
	h.conn = &progressConn{Conn: c}
	return h.conn, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(h.conn, writePiece)), nil
}
