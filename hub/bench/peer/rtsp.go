package main

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// dialTime is how long a server may take to answer.
const dialTime = 10 * time.Second

// dialog is a client's RTSP connection: as little as it takes to watch.
type dialog struct {
	conn           net.Conn
	in             *bufio.Reader
	address        string
	user, password string
	realm, nonce   string
	session        string
	count          int

	base, control string // of the stream and of its picture
	sdp           string
}

func dialRTSP(address, user, password string) (*dialog, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("tcp", u.Host, dialTime)
	if err != nil {
		return nil, err
	}
	d := &dialog{conn: c, in: bufio.NewReaderSize(c, 256<<10), address: address, user: user, password: password}
	if err := d.describe(); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return d, nil
}

// ask sends a request, once more where the server wants to know who asks.
func (d *dialog) ask(method, url, more string) (textproto.MIMEHeader, []byte, error) {
	status, h, body, err := d.once(method, url, more)
	if err == nil && status == 401 && d.user != "" {
		if d.challenge(h["Www-Authenticate"]) {
			status, h, body, err = d.once(method, url, more)
		}
	}
	if err == nil && status != 200 {
		err = fmt.Errorf("%s: status %d", method, status)
	}
	return h, body, err
}

func (d *dialog) once(method, url, more string) (int, textproto.MIMEHeader, []byte, error) {
	d.count++
	if d.session != "" {
		more += "Session: " + d.session + "\r\n"
	}
	if d.nonce != "" {
		more += "Authorization: " + d.digest(method, url) + "\r\n"
	}
	if _, err := fmt.Fprintf(d.conn, "%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: bench\r\n%s\r\n", method, url, d.count, more); err != nil {
		return 0, nil, nil, err
	}
	if err := d.skip(); err != nil {
		return 0, nil, nil, err
	}
	text := textproto.NewReader(d.in)
	line, err := text.ReadLine()
	if err != nil {
		return 0, nil, nil, err
	}
	h, err := text.ReadMIMEHeader()
	if err != nil {
		return 0, nil, nil, err
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0, nil, nil, errors.New(method + ": " + line)
	}
	status, _ := strconv.Atoi(words[1])
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	body := make([]byte, min(n, 64<<10))
	_, err = io.ReadFull(d.in, body)
	return status, h, body, err
}

// skip passes packets that come before an answer.
func (d *dialog) skip() error {
	for {
		b, err := d.in.Peek(4)
		if err != nil {
			return err
		}
		if b[0] != '$' {
			return nil
		}
		if _, err := d.in.Discard(4 + (int(b[2])<<8 | int(b[3]))); err != nil {
			return err
		}
	}
}

// challenge takes a Digest with MD5 (RFC 2617 3.2.1).
func (d *dialog) challenge(offers []string) bool {
	for _, o := range offers {
		if !strings.HasPrefix(o, "Digest ") || strings.Contains(o, "SHA-256") {
			continue
		}
		d.realm, d.nonce = quoted(o, "realm"), quoted(o, "nonce")
		return d.nonce != ""
	}
	return false
}

func quoted(s, key string) string {
	_, rest, _ := strings.Cut(s, key+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func (d *dialog) digest(method, url string) string {
	sum := func(s string) string {
		h := md5.Sum([]byte(s))
		return hex.EncodeToString(h[:])
	}
	answer := sum(sum(d.user+":"+d.realm+":"+d.password) + ":" + d.nonce + ":" + sum(method+":"+url))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, d.user, d.realm, d.nonce, url, answer)
}

func (d *dialog) describe() error {
	_ = d.conn.SetDeadline(time.Now().Add(dialTime)) // it is open
	h, body, err := d.ask("DESCRIBE", d.address, "Accept: application/sdp\r\n")
	if err != nil {
		return err
	}
	d.base, d.sdp = h.Get("Content-Base"), string(body)
	if d.base == "" {
		d.base = d.address + "/"
	}
	_, media, _ := strings.Cut(d.sdp, "m=video")
	_, control, _ := strings.Cut(media, "a=control:")
	control, _, _ = strings.Cut(control, "\r\n")
	if !strings.HasPrefix(control, "rtsp://") {
		control = strings.TrimSuffix(d.base, "/") + "/" + control
	}
	d.control = control
	return nil
}

// setup asks for the picture alone.
func (d *dialog) setup(transport string) error {
	h, _, err := d.ask("SETUP", d.control, "Transport: "+transport+"\r\n")
	if err != nil {
		return err
	}
	d.session, _, _ = strings.Cut(h.Get("Session"), ";")
	return nil
}

func (d *dialog) play() error {
	_, _, err := d.ask("PLAY", d.base, "")
	_ = d.conn.SetDeadline(time.Time{}) // it is open
	return err
}

// packets calls f with each RTP packet of the picture until the connection ends or f
// does not want more. The packet holds until f returns.
func (d *dialog) packets(f func(packet []byte) error) error {
	for {
		head, err := d.in.Peek(4)
		if err != nil {
			return err
		}
		if head[0] != '$' {
			return errors.New("something between the packets")
		}
		n, channel := int(head[2])<<8|int(head[3]), head[1]
		b, err := d.in.Peek(4 + n)
		if err != nil {
			return err
		}
		if channel == 0 {
			if err := f(b[4:]); err != nil {
				return err
			}
		}
		if _, err := d.in.Discard(4 + n); err != nil {
			return err
		}
	}
}

// interleaved is the transport of pictures in the connection itself, on its channel 0.
const interleaved = "RTP/AVP/TCP;unicast;interleaved=0-1"
