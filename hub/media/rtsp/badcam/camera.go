package badcam

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options of a camera; the zero value is a good one that plays Film.
type Options struct {
	SDP                string // "" : H.264 as Film has it, parameter sets included
	Base               string // Content-Base; "": the address that was asked for, with a slash
	Public             string // "": the usual methods
	Username, Password string
	Auth               string // "", basic, md5, sha256: what it asks for
	Realm              string
	QOP                bool
	FreshNonce         bool // each request needs a nonce of its own
	TLS                *tls.Certificate
	Timeout            time.Duration // of a session without a sign of life; 0: never
	Keeps              []string      // methods that count as one; nil: all
	// Answer changes an answer before it is sent.
	Answer func(q *Request, a *Answer)
	// Heard takes what is sent to a track, numbered as they were set up. Calls come one at a
	// time of a connection by TCP, of each port by UDP.
	Heard func(track int, rtcp bool, packet []byte)
	// Play sends what there is to see until its Player is done; nil: Film.
	Play func(p *Player)
}

// Request is one question.
type Request struct {
	Method, URL string
	Header      map[string]string // by names in small letters
	Nth         int               // of its method on this connection, from 1
}

// Answer is what is sent for it.
type Answer struct {
	Status  int
	Reason  string
	Lines   []string // headers
	Body    string
	Raw     string // sent in place of all the above
	Silent  bool   // nothing is sent
	HangUp  bool   // the connection is closed instead
	NoCount bool   // Content-Length is left out
}

// Set puts a header in place of the one of that name.
func (a *Answer) Set(name, value string) {
	a.Unset(name)
	a.Lines = append(a.Lines, name+": "+value)
}

// Unset leaves a header out.
func (a *Answer) Unset(name string) {
	kept := a.Lines[:0]
	for _, l := range a.Lines {
		if n, _, _ := strings.Cut(l, ":"); !strings.EqualFold(n, name) {
			kept = append(kept, l)
		}
	}
	a.Lines = kept
}

// Fail makes the answer a refusal.
func (a *Answer) Fail(status int, reason string) {
	a.Status, a.Reason, a.Body, a.Lines = status, reason, "", nil
}

// Camera is a running one.
type Camera struct {
	o  Options
	ln net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	closed  bool
	asked   []Request
	refused int
	dialled int
}

// Start makes a camera listen on loopback.
func Start(o Options) (*Camera, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if o.TLS != nil {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{*o.TLS}})
	}
	c := &Camera{o: o, ln: ln, conns: make(map[net.Conn]struct{})}
	c.wg.Go(c.serve)
	return c, nil
}

// Addr is its host and port.
func (c *Camera) Addr() string { return c.ln.Addr().String() }

// URL is the address of its stream.
func (c *Camera) URL() string {
	if c.o.TLS != nil {
		return "rtsps://" + c.Addr() + "/live"
	}
	return "rtsp://" + c.Addr() + "/live"
}

// Asked lists all requests so far.
func (c *Camera) Asked() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Request(nil), c.asked...)
}

// Refused is how many wrong logins there were, Dialled how many connections.
func (c *Camera) Refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// Dialled is how many connections there were.
func (c *Camera) Dialled() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialled
}

// HangUp closes all connections, as a camera does that starts anew.
func (c *Camera) HangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for nc := range c.conns {
		nc.Close()
	}
}

// Close ends the camera and waits until it is gone.
func (c *Camera) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ln.Close()
	c.HangUp()
	c.wg.Wait()
}

func (c *Camera) serve() {
	for {
		nc, err := c.ln.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			nc.Close()
			return
		}
		c.conns[nc] = struct{}{}
		c.dialled++
		c.mu.Unlock()
		c.wg.Go(func() {
			s := &session{c: c, nc: nc, done: make(chan struct{}), counts: make(map[string]int)}
			s.run()
			c.mu.Lock()
			delete(c.conns, nc)
			c.mu.Unlock()
		})
	}
}

// session is one connection.
type session struct {
	c      *Camera
	nc     net.Conn
	done   chan struct{} // closed when it ends
	counts map[string]int
	nonce  int

	wmu    sync.Mutex
	tracks []track
	life   *time.Timer
	player sync.WaitGroup
}

func (s *session) run() {
	defer s.player.Wait()
	defer s.closePorts()
	defer s.nc.Close()
	defer close(s.done)
	br := bufio.NewReader(s.nc)
	for {
		b, err := br.Peek(1)
		if err != nil {
			return
		}
		if b[0] == '$' { // reports of the receiver
			h, err := br.Peek(4)
			if err != nil {
				return
			}
			frame := make([]byte, 4+int(h[2])<<8+int(h[3]))
			if _, err := io.ReadFull(br, frame); err != nil {
				return
			}
			s.heard(int(frame[1]), frame[4:])
			continue
		}
		q, err := read(br)
		if err != nil {
			return
		}
		s.counts[q.Method]++
		q.Nth = s.counts[q.Method]
		s.c.mu.Lock()
		s.c.asked = append(s.c.asked, *q)
		s.c.mu.Unlock()
		if !s.answer(q) {
			return
		}
	}
}

// heard hands on what came interleaved.
func (s *session) heard(channel int, packet []byte) {
	for i, t := range s.tracks {
		if s.c.o.Heard != nil && t.conn == nil && channel&^1 == t.channel {
			s.c.o.Heard(i, channel&1 == 1, packet)
		}
	}
}

func read(br *bufio.Reader) (*Request, error) {
	r := textproto.NewReader(br)
	line, err := r.ReadLine()
	if err != nil {
		return nil, err
	}
	f := strings.SplitN(line, " ", 3)
	if len(f) != 3 {
		return nil, errors.New("no request")
	}
	q := &Request{Method: f[0], URL: f[1], Header: make(map[string]string)}
	for {
		line, err := r.ReadLine()
		if err != nil || line == "" {
			return q, err
		}
		name, value, _ := strings.Cut(line, ":")
		q.Header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
}

// answer answers one request; false: the connection is to end.
func (s *session) answer(q *Request) bool {
	a := &Answer{Status: 200, Reason: "OK"}
	playing := false
	if why := s.login(q); why != "" {
		a.Fail(401, "Unauthorized")
		a.Lines = strings.Split(why, "\n")
	} else {
		playing = s.good(q, a)
	}
	if s.c.o.Answer != nil {
		s.c.o.Answer(q, a)
	}
	s.sign(q, a.Status)
	if a.HangUp {
		return false
	}
	if !a.Silent {
		if _, err := s.write([]byte(a.render(q))); err != nil {
			return false
		}
	}
	if playing && a.Status == 200 {
		s.play()
	}
	return q.Method != "TEARDOWN"
}

// sign counts a sign of life.
func (s *session) sign(q *Request, status int) {
	o := s.c.o
	if o.Timeout == 0 {
		return
	}
	if s.life == nil {
		s.life = time.AfterFunc(o.Timeout, func() { s.nc.Close() })
		return
	}
	keeps := o.Keeps == nil
	for _, m := range o.Keeps {
		keeps = keeps || m == q.Method
	}
	if keeps && status == 200 {
		s.life.Reset(o.Timeout)
	}
}

func (a *Answer) render(q *Request) string {
	if a.Raw != "" {
		return a.Raw
	}
	var b strings.Builder
	fmt.Fprintf(&b, "RTSP/1.0 %d %s\r\nCSeq: %s\r\n", a.Status, a.Reason, q.Header["cseq"])
	for _, l := range a.Lines {
		b.WriteString(l + "\r\n")
	}
	if a.Body != "" && !a.NoCount {
		b.WriteString("Content-Length: " + strconv.Itoa(len(a.Body)) + "\r\n")
	}
	b.WriteString("\r\n" + a.Body)
	return b.String()
}

// good is what a camera without fault does; true: it begins to play.
func (s *session) good(q *Request, a *Answer) (playing bool) {
	o := s.c.o
	if !strings.HasPrefix(q.URL, s.c.URL()[:strings.Index(s.c.URL(), "/live")]+"/") {
		a.Fail(404, "Not Found")
		return false
	}
	switch q.Method {
	case "OPTIONS":
		public := o.Public
		if public == "" {
			public = "OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, GET_PARAMETER"
		}
		a.Lines = []string{"Public: " + public, "Server: badcam"}
	case "DESCRIBE":
		if q.Header["require"] != "" && !strings.Contains(o.SDP, "sendonly") {
			a.Fail(551, "Option not supported")
			return false
		}
		base := o.Base
		if base == "" {
			base = q.URL + "/"
		}
		a.Body = o.SDP
		if a.Body == "" {
			a.Body = SDP()
		}
		a.Lines = []string{"Content-Type: application/sdp", "Content-Base: " + base}
	case "SETUP":
		s.setup(q, a)
	case "PLAY":
		a.Lines = []string{"Session: 4711", "RTP-Info: url=track0;seq=1;rtptime=1"}
		return true
	}
	return false
}

func (s *session) write(b []byte) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.nc.Write(b)
}
