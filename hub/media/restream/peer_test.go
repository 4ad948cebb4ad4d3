package restream

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

// peer is a reader that counts.
type peer struct {
	t       testing.TB
	nc      net.Conn
	in      *bufio.Reader
	host    string
	cseq    int
	nonce   string
	user    string
	pass    string
	sha     bool
	sign    string // the URL that it signs; empty: that of the request
	session string

	frames, packets, gaps, reports atomic.Int64
	udp                            []*net.UDPConn
	last                           map[int]uint16
	first                          time.Duration // from the request to the first packet
}

func dial(t testing.TB, h *house) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: t, nc: nc, in: bufio.NewReader(nc), host: h.Addr().String(), user: "owner", pass: "secret words", last: map[int]uint16{}}
}

// ask sends a request, with what is known of the login, and gives the response.
func (p *peer) ask(method, url string, more ...string) *base.Response {
	p.t.Helper()
	res, err := p.try(method, url, more...)
	if err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
	return res
}

func (p *peer) try(method, url string, more ...string) (*base.Response, error) {
	p.cseq++
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s RTSP/1.0\r\nCSeq: %d\r\n", method, url, p.cseq)
	if p.nonce != "" {
		sum, alg := hashMD5, ""
		if p.sha {
			sum, alg = hashSHA256, ", algorithm=SHA-256"
		}
		uri := cmp.Or(p.sign, url)
		answer := sum(sum(p.user+":"+Realm+":"+p.pass) + ":" + p.nonce + ":" + sum(method+":"+uri))
		fmt.Fprintf(&b, "Authorization: Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q%s\r\n", p.user, Realm, p.nonce, uri, answer, alg)
	}
	if p.session != "" {
		fmt.Fprintf(&b, "Session: %s\r\n", p.session)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(p.nc, b.String()); err != nil {
		return nil, err
	}
	return p.response()
}

// response reads the next one; what is interleaved before it is counted.
func (p *peer) response() (*base.Response, error) {
	for {
		c, err := p.in.Peek(1)
		if err != nil {
			return nil, err
		}
		if c[0] == '$' {
			if err := p.frame(); err != nil {
				return nil, err
			}
			continue
		}
		var res base.Response
		if err := res.Unmarshal(p.in); err != nil {
			return nil, err
		}
		if v := res.Header["Session"]; len(v) == 1 {
			p.session, _, _ = strings.Cut(v[0], ";")
		}
		return &res, nil
	}
}

func (p *peer) frame() error {
	head, err := p.in.Peek(4)
	if err != nil {
		return err
	}
	n := 4 + int(binary.BigEndian.Uint16(head[2:]))
	channel := int(head[1])
	b := make([]byte, n)
	if _, err := io.ReadFull(p.in, b); err != nil {
		return err
	}
	p.count(channel, b[4:])
	return nil
}

func (p *peer) count(channel int, b []byte) {
	if channel%2 == 1 {
		p.reports.Add(1)
		return
	}
	p.packets.Add(1)
	seq := binary.BigEndian.Uint16(b[2:])
	if last, ok := p.last[channel]; ok && seq != last+1 {
		p.gaps.Add(1)
	}
	p.last[channel] = seq
	if b[1]&0x80 != 0 {
		p.frames.Add(1)
	}
}

// login asks for the stream without and then with the password.
func (p *peer) login(path string, more ...string) *base.Response {
	p.t.Helper()
	url := "rtsp://" + p.host + "/" + path
	res := p.ask("DESCRIBE", url, more...)
	if res.StatusCode != base.StatusUnauthorized {
		p.t.Fatalf("without a password: %+v", res)
	}
	for _, v := range res.Header["WWW-Authenticate"] {
		if !strings.HasPrefix(v, "Digest ") {
			p.t.Errorf("asks for %q", v)
		}
		_, rest, _ := strings.Cut(v, `nonce="`)
		p.nonce, _, _ = strings.Cut(rest, `"`)
	}
	return p.ask("DESCRIBE", url, more...)
}

// watch logs in and begins to read tracks.
func (p *peer) watch(path string, udp bool, tracks ...int) {
	p.t.Helper()
	if res := p.login(path); res.StatusCode != base.StatusOK {
		p.t.Fatalf("describe: %+v", res)
	}
	for i, track := range tracks {
		transport := fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d", 2*i, 2*i+1)
		if udp {
			transport = p.ports()
		}
		if res := p.ask("SETUP", "rtsp://"+p.host+"/"+path+"/trackID="+strconv.Itoa(track), transport); res.StatusCode != base.StatusOK {
			p.t.Fatalf("setup: %+v", res)
		}
	}
	began := time.Now()
	res := p.ask("PLAY", "rtsp://"+p.host+"/"+path)
	if res.StatusCode != base.StatusOK || len(res.Header["RTP-Info"]) == 0 {
		p.t.Fatalf("play: %+v", res)
	}
	p.first = time.Since(began)
}

// ports opens two for a track.
func (p *peer) ports() string {
	for {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			p.t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
		if port%2 == 1 || err != nil {
			_ = a.Close()
			if err == nil {
				_ = b.Close()
			}
			continue
		}
		_ = a.SetReadBuffer(1 << 20)
		p.t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
		p.udp = append(p.udp, a, b)
		return fmt.Sprintf("Transport: RTP/AVP;unicast;client_port=%d-%d", port, port+1)
	}
}

// read counts until the connection ends or until is passed.
func (p *peer) read(until time.Time) error {
	if p.udp != nil {
		return p.readUDP(until)
	}
	_ = p.nc.SetReadDeadline(until)
	for {
		if err := p.frame(); err != nil {
			if errors.Is(err, io.EOF) || isTimeout(err) {
				return nil
			}
			return err
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func (p *peer) readUDP(until time.Time) error {
	done := make(chan error, len(p.udp)) // one word of each
	last := make([]map[int]uint16, len(p.udp))
	for i, u := range p.udp {
		_ = u.SetReadDeadline(until)
		last[i] = map[int]uint16{}
		go func() {
			b := make([]byte, 2048)
			for {
				n, err := u.Read(b)
				if err != nil {
					if isTimeout(err) || errors.Is(err, net.ErrClosed) {
						err = nil
					}
					done <- err
					return
				}
				if i%2 == 1 {
					p.reports.Add(1)
					continue
				}
				p.packets.Add(1)
				seq := binary.BigEndian.Uint16(b[2:n])
				if l, ok := last[i][i]; ok && seq != l+1 {
					p.gaps.Add(1)
				}
				last[i][i] = seq
			}
		}()
	}
	var err error
	for range p.udp {
		err = errors.Join(err, <-done)
	}
	return err
}

func addrPort(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}
