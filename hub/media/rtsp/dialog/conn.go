package dialog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrEnded: the server said that the session is over.
var ErrEnded = errors.New("the camera ended the session")

// ErrInterrupted: we wanted no more.
var ErrInterrupted = errors.New("interrupted")

// Options of a connection.
type Options struct {
	Address  string // host and port
	TLS      bool
	Host     string // for the certificate
	Pin      string // fingerprint; empty: checked as usual
	Username string
	Password string
	// Withhold: the login is never sent, since this is not the host that it was given for.
	Withhold bool
	Timeout  time.Duration // of a dial, of an answer, and of silence
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	// Frame takes interleaved frames; payload is good until it returns.
	Frame func(channel int, payload []byte)
	// StrictNonce gives up at a nonce that has aged, NoAgent leaves out User-Agent: for tests.
	StrictNonce, NoAgent bool
}

// Conn is a connection to a server. One goroutine reads and asks (Do, Next); any may call
// Send. Close ends everything.
type Conn struct {
	o  Options
	nc net.Conn
	br *bufio.Reader

	idle  time.Duration
	until time.Time    // of the answer that is waited for; zero: none is
	heard atomic.Int64 // when bytes came last, in ns of Unix time
	stop  atomic.Bool  // reads end at once

	wmu     sync.Mutex // guards what follows, and the order of what is written
	cseq    int
	session string
	auth    *challenge
	count   int // uses of auth's nonce
	out     []byte

	proved   bool // a request with a login was answered
	tried    bool // a login was refused
	withheld bool // one was asked for and kept back
	offered  string
	Server   string // what it calls itself
	frames   uint64
}

// frameBuffer holds one whole interleaved frame, so that it is handed on without a copy.
const frameBuffer = 4 + 65535

// Dial connects; the dial and the handshake together take at most Timeout.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	nc, err := o.Dial(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	if o.TLS {
		s, err := secure(ctx, nc, o.Host, o.Pin)
		if err != nil {
			nc.Close()
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", ErrNoTLS, err)
			}
			return nil, err
		}
		nc = s
	}
	c := &Conn{o: o, nc: nc, idle: o.Timeout}
	c.heard.Store(time.Now().UnixNano())
	c.br = bufio.NewReaderSize(patient{c}, frameBuffer)
	return c, nil
}

// patient reads the connection with a deadline on each read.
type patient struct{ c *Conn }

func (p patient) Read(b []byte) (int, error) {
	c := p.c
	limit := time.Now().Add(c.idle)
	if !c.until.IsZero() && c.until.Before(limit) {
		limit = c.until
	}
	if err := c.nc.SetReadDeadline(limit); err != nil {
		return 0, err
	}
	if c.stop.Load() { // after the deadline was set: Interrupt does it the other way round
		return 0, ErrInterrupted
	}
	n, err := c.nc.Read(b)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	if err != nil && c.stop.Load() {
		err = ErrInterrupted
	}
	return n, err
}

// Idle says how long a read waits from now on; whoever reads calls it.
func (c *Conn) Idle(d time.Duration) { c.idle = d }

// Interrupt makes a read that waits, and each one after it, end at once. Goodbye can still
// be said.
func (c *Conn) Interrupt() {
	c.stop.Store(true)
	_ = c.nc.SetReadDeadline(time.Now())
}

// Goodbye ends the session and waits at most so long for the answer, since closing a
// connection on which data waits throws away what was written last. Whoever reads calls it.
func (c *Conn) Goodbye(uri string, wait time.Duration) {
	c.stop.Store(false)
	c.o.Frame = nil
	cseq, err := c.Send("TEARDOWN", uri, nil)
	if err != nil {
		return
	}
	c.until = time.Now().Add(wait)
	for time.Now().Before(c.until) {
		m, err := c.Next()
		if err != nil || m != nil && m.Header.Get("cseq") == strconv.Itoa(cseq) {
			return
		}
	}
}

// Close ends the connection without a word.
func (c *Conn) Close() error { return c.nc.Close() }

// Peer and Local are the ends of the connection.
func (c *Conn) Peer() net.Addr { return c.nc.RemoteAddr() }

// Local is our end.
func (c *Conn) Local() net.Addr { return c.nc.LocalAddr() }

// Frames is how many interleaved frames have come.
func (c *Conn) Frames() uint64 { return c.frames }

// Way is how the login was made; none if it was not asked for.
func (c *Conn) Way() string {
	if c.auth == nil {
		return "none"
	}
	return c.auth.way
}

// Tried reports that a login was sent and refused.
func (c *Conn) Tried() bool { return c.tried }

// Withheld reports that a login was wanted and kept back.
func (c *Conn) Withheld() bool { return c.withheld }

// Do asks and waits for the answer. It logs in when asked to, once: a second refusal is
// the answer, unless only the nonce had aged. Frames that come meanwhile are handed on.
func (c *Conn) Do(method, uri string, h Header) (*Message, error) {
	for try := 0; ; try++ {
		sent := c.auth
		cseq, err := c.Send(method, uri, h)
		if err != nil {
			return nil, err
		}
		m, err := c.answer(cseq)
		if err != nil {
			return nil, err
		}
		if m.Status != 401 {
			c.proved = c.proved || sent != nil
			c.keep(m)
			return m, nil
		}
		if !c.again(m, sent, try) {
			return m, nil
		}
	}
}

// again reports whether a refused request is to be sent once more, with a login.
func (c *Conn) again(m *Message, sent *challenge, try int) bool {
	offer, ok := strongest(challenges(m.Header["www-authenticate"]))
	switch {
	case c.o.Username == "" && c.o.Password == "":
		return false
	case c.o.Withhold:
		c.withheld = true
		return false
	case !ok:
		c.offered = clean(strings.Join(m.Header["www-authenticate"], ", "))
		return false
	case offer.way == Basic && c.auth != nil && c.auth.way != Basic:
		// Who knows no digest any more is another, or wants the password itself.
		c.tried = true
		return false
	case sent != nil && (try > 1 || c.o.StrictNonce || offer.nonce == sent.nonce || !offer.stale && !c.proved):
		c.tried = true
		return false
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.auth, c.count = &offer, 0
	return true
}

// Renew takes over the nonce of an answer that refused a request which nobody waited for.
func (c *Conn) Renew(m *Message) {
	if m.Status == 401 {
		c.again(m, nil, 0)
	}
}

// Offered is what a server asked for that is not known here.
func (c *Conn) Offered() string { return c.offered }

// keep takes over what an answer says of the session.
func (c *Conn) keep(m *Message) {
	if s := m.Header.Get("server"); s != "" {
		c.Server = clean(s)
	}
	id, _, _ := strings.Cut(m.Header.Get("session"), ";")
	if id = strings.TrimSpace(id); id != "" && m.Status < 300 {
		c.wmu.Lock()
		c.session = id
		c.wmu.Unlock()
	}
}

// SessionTimeout is how long the server keeps a session without a sign of life (RFC 2326 12.37).
func SessionTimeout(m *Message) time.Duration {
	_, params, _ := strings.Cut(m.Header.Get("session"), ";")
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), "timeout") {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 && n < 1<<20 {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 60 * time.Second
}

// Send writes a request and does not wait for its answer.
func (c *Conn) Send(method, uri string, h Header) (cseq int, err error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	uri = oneWord(uri)
	c.cseq++
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s RTSP/1.0\r\nCSeq: %d\r\n", method, uri, c.cseq)
	if !c.o.NoAgent {
		b.WriteString("User-Agent: Porchlight\r\n") // some servers answer 401 without one
	}
	if c.session != "" {
		fmt.Fprintf(&b, "Session: %s\r\n", c.session)
	}
	if c.auth != nil {
		c.count++
		fmt.Fprintf(&b, "Authorization: %s\r\n", c.auth.authorization(c.o.Username, c.o.Password, method, uri, c.count))
	}
	for _, name := range []string{"Accept", "Require", "Transport", "Range"} {
		for _, v := range h[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	b.WriteString("\r\n")
	return c.cseq, c.write(b.Bytes())
}

// SendFrame writes one interleaved frame (RFC 2326 10.12). Any goroutine may call it.
func (c *Conn) SendFrame(channel int, payload []byte) error {
	if len(payload) > frameBuffer-4 {
		return fmt.Errorf("interleaved: a frame of %d bytes", len(payload))
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.out = append(append(c.out[:0], '$', byte(channel), byte(len(payload)>>8), byte(len(payload))), payload...)
	return c.write(c.out)
}

// oneWord keeps a URL that a camera made up from ending the request line.
func oneWord(uri string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, uri)
}

func (c *Conn) write(b []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.o.Timeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	return err
}

// answer waits for the answer to a request. One without a number is taken for it.
func (c *Conn) answer(cseq int) (*Message, error) {
	c.until = time.Now().Add(c.o.Timeout)
	defer func() { c.until = time.Time{} }()
	for {
		m, err := c.Next()
		if err != nil {
			return nil, err
		}
		if m == nil || m.Method != "" {
			continue
		}
		n, err := strconv.Atoi(m.Header.Get("cseq"))
		if err != nil || n == cseq {
			return m, nil
		}
	}
}

// Next reads one frame, which is handed on and gives nil, or one message. Requests of the
// server are answered here.
func (c *Conn) Next() (*Message, error) {
	for junk := 0; junk < maxJunk; junk++ {
		b, err := c.br.Peek(4)
		if err != nil {
			return nil, err
		}
		switch {
		case b[0] == '$':
			return nil, c.frame(int(b[1]), 4+int(b[2])<<8+int(b[3]))
		case string(b) == "HTTP":
			return nil, ErrNotRTSP
		case string(b) == "RTSP" || known(b):
			m, err := readMessage(c.br)
			if err != nil {
				return nil, err
			}
			if m.Method != "" {
				return m, c.serve(m)
			}
			return m, nil
		}
		if _, err := c.br.Discard(1); err != nil {
			return nil, err
		}
	}
	return nil, ErrNotRTSP
}

// known reports whether a request of a server begins with b.
func known(b []byte) bool {
	for _, m := range []string{"OPTIONS ", "ANNOUNCE ", "GET_PARAMETER ", "SET_PARAMETER ", "REDIRECT ", "TEARDOWN "} {
		if string(b) == m[:len(b)] {
			return true
		}
	}
	return false
}

func (c *Conn) frame(channel, n int) error {
	b, err := c.br.Peek(n)
	if err != nil {
		return err
	}
	c.frames++
	if c.o.Frame != nil {
		c.o.Frame(channel, b[4:])
	}
	_, err = c.br.Discard(n)
	return err
}

func (c *Conn) serve(m *Message) error {
	status := "200 OK"
	switch m.Method {
	case "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE":
	case "REDIRECT", "TEARDOWN":
		return ErrEnded
	default:
		status = "501 Not Implemented"
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	cseq, _ := strconv.Atoi(m.Header.Get("cseq"))
	return c.write(fmt.Appendf(nil, "RTSP/1.0 %s\r\nCSeq: %d\r\nUser-Agent: Porchlight\r\n\r\n", status, cseq))
}

// Heard is when bytes came last.
func (c *Conn) Heard() time.Time { return time.Unix(0, c.heard.Load()) }
