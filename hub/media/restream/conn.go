package restream

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	rtspconn "github.com/bluenviron/gortsplib/v5/pkg/conn"

	"github.com/porchlight-hub/porchlight/hub/media/restream/outlet"
)

const (
	// strangerTime is how long a connection has to show a password, idleTime how long a
	// reader by UDP may be silent. One by TCP need not speak: its writes tell that it is there.
	strangerTime = 15 * time.Second
	idleTime     = 60 * time.Second
)

// conn is one RTSP connection, which has at most one session.
type conn struct {
	s        *Server
	nc       net.Conn
	out      *outlet.TCP
	id       uint64
	host     string // the other's address without port
	loopback bool
	nonce    string
	since    time.Time

	// What follows is of the goroutine that serves.
	tries int  // wrong passwords
	last  bool // closes after the response
	said  *shared

	mu     sync.Mutex
	who    *Credential
	ses    *session
	reason string // why it was closed
	asked  time.Time
	agent  string
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, out: outlet.NewTCP(nc), nonce: nonce(), since: s.o.Now()}
	c.host, c.loopback = hostOf(nc.RemoteAddr())
	return c
}

func hostOf(a net.Addr) (host string, loopback bool) {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String(), false
	}
	ip := p.Addr().Unmap()
	return ip.String(), ip.IsLoopback()
}

// serve answers requests until the connection ends.
func (c *conn) serve(ctx context.Context) {
	defer c.close("the reader has gone")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := rtspconn.NewConn(bufio.NewReaderSize(c.nc, 4096), nil)
	for {
		if c.nc.SetReadDeadline(c.deadline()) != nil {
			return
		}
		what, err := in.Read()
		if err != nil {
			return
		}
		switch what := what.(type) {
		case *base.Request:
			if !c.handle(ctx, what) {
				return
			}
		case *base.InterleavedFrame:
			if ses := c.session(); ses != nil {
				ses.heard(what.Channel, what.Payload)
			}
		}
	}
}

// deadline is until when the next request must have come. One without a password has so
// long in all, whatever it sends.
func (c *conn) deadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.who == nil:
		return c.since.Add(strangerTime)
	case c.ses != nil && c.ses.plays.Load():
		return time.Time{} // look ends it
	}
	return time.Now().Add(idleTime)
}

// handle answers one request; false: the connection ends.
func (c *conn) handle(ctx context.Context, req *base.Request) bool {
	c.mu.Lock()
	c.asked = c.s.o.Now()
	if ua := req.Header["User-Agent"]; len(ua) == 1 {
		c.agent = oneLine(ua[0])
	}
	c.mu.Unlock()
	var res *base.Response
	var then func()
	if cseq := req.Header["CSeq"]; len(cseq) != 1 {
		res, c.last = &base.Response{StatusCode: base.StatusBadRequest}, true
	} else {
		res, then = c.answer(ctx, req)
		if res.Header == nil {
			res.Header = base.Header{}
		}
		res.Header["CSeq"] = cseq
	}
	if res.Header == nil {
		res.Header = base.Header{}
	}
	res.Header["Server"] = base.HeaderValue{"Porchlight"}
	b, err := res.Marshal()
	if err != nil || c.out.Write(b) != nil {
		return false
	}
	if then != nil {
		then()
	}
	return !c.last
}

// close ends the connection; the first reason counts.
func (c *conn) close(reason string) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = reason
	}
	c.mu.Unlock()
	_ = c.nc.Close()
}

// finish lets go of what the connection held, when nobody serves it any more.
func (c *conn) finish() {
	c.mu.Lock()
	ses := c.ses
	c.ses = nil
	c.mu.Unlock()
	if ses != nil {
		ses.end()
	}
	if c.said != nil {
		c.s.release(c.said)
		c.said = nil
	}
}

func (c *conn) session() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ses
}

// know keeps who was let in.
func (c *conn) know(k *Credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who = k
}

// known tells whether somebody has shown a password.
func (c *conn) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who != nil
}

// is tells whether the connection is of that password or user.
func (c *conn) is(who string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who != nil && (c.who.ID == who || c.who.Viewer.User == who)
}

// look ends a reader that takes nothing, is silent, or may read no more.
func (c *conn) look(ctx context.Context, now time.Time) {
	if c.out.Stands() > writeStall {
		c.close("it took nothing for 10 s")
		return
	}
	c.mu.Lock()
	ses, asked := c.ses, c.asked
	c.mu.Unlock()
	if ses == nil || !ses.plays.Load() {
		return
	}
	if ses.speech != nil {
		ses.speech.silent(now)
	}
	if ses.udp && now.Sub(asked) > idleTime && now.Sub(ses.heardAt()) > idleTime {
		c.close("it was silent for a minute")
		return
	}
	if !c.s.o.Cameras(ses.feed.Camera) {
		c.close("the camera was removed")
		return
	}
	if id := ses.who.ID; id != localID && ses.dueRights(now) && !c.s.o.Logins.Valid(ctx, id) {
		c.close("the password was revoked")
	}
}
