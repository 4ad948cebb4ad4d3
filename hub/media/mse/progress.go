package mse

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"time"
)

const (
	// stall: a connection that takes nothing for so long is closed.
	stall = 10 * time.Second
	// writePiece is what must go within stall; less than 4 KB a second is no live picture.
	writePiece = 32 << 10
)

// progressConn gives each piece of a write its own deadline, so that a slow line may take
// its time over a big key frame and a dead one may not.
type progressConn struct{ net.Conn }

func (c progressConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), writePiece)]
		if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return n, err
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

// hijacker hands out progressConns.
type hijacker struct{ http.ResponseWriter }

// Hijack takes the connection over; its writer sends a usual frame with its header in one call.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw.Writer.Buffered() > 0 {
		if err := rw.Flush(); err != nil {
			return nil, nil, errors.Join(err, c.Close())
		}
	}
	pc := progressConn{c}
	return pc, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(pc, writePiece)), nil
}
