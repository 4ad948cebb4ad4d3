package controller

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxBody of an answer; a snapshot is much smaller.
const maxBody = 16 << 20

// Content types of HAP.
const (
	JSON = "application/hap+json"
	TLV8 = "application/pairing+tlv8"
)

// ErrAnswer says that what came is no HTTP.
var ErrAnswer = errors.New("controller: no answer of HTTP")

// Answer to one request.
type Answer struct {
	Status int
	Header map[string]string // names in small letters
	Body   []byte

	event bool
}

// Event is one message that was not asked for.
type Event struct {
	At     time.Time // its first byte
	Values []Value
}

// Request makes the bytes of one.
func Request(method, path, host, contentType string, body []byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	b.WriteString("\r\n")
	return append([]byte(b.String()), body...)
}

// readAnswer reads an answer or an event.
func readAnswer(r *bufio.Reader) (Answer, error) {
	first, err := line(r)
	if err != nil {
		return Answer{}, err
	}
	protocol, rest, _ := strings.Cut(first, " ")
	code, _, _ := strings.Cut(rest, " ")
	a := Answer{Header: map[string]string{}, event: protocol == "EVENT/1.0"}
	if a.Status, err = strconv.Atoi(code); err != nil || !a.event && protocol != "HTTP/1.1" {
		return a, fmt.Errorf("%w: %.80q", ErrAnswer, first)
	}
	for {
		l, err := line(r)
		if err != nil {
			return a, unexpected(err)
		}
		if l == "" {
			break
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || len(a.Header) > 64 {
			return a, fmt.Errorf("%w: header %.80q", ErrAnswer, l)
		}
		a.Header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	a.Body, err = a.body(r)
	return a, unexpected(err)
}

func (a Answer) body(r *bufio.Reader) ([]byte, error) {
	if a.Header["transfer-encoding"] == "chunked" {
		return chunks(r)
	}
	length, ok := a.Header["content-length"]
	if !ok {
		if a.Status != 204 {
			return nil, fmt.Errorf("%w: %d without a length", ErrAnswer, a.Status)
		}
		return nil, nil
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBody {
		return nil, fmt.Errorf("%w: length %.20q", ErrAnswer, length)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

func chunks(r *bufio.Reader) (all []byte, err error) {
	for {
		l, err := line(r)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(l, 16, 24)
		if err != nil || len(all)+int(n) > maxBody {
			return nil, fmt.Errorf("%w: chunk %.20q", ErrAnswer, l)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		all = append(all, b...)
		if end, err := line(r); err != nil || end != "" {
			return nil, fmt.Errorf("%w: after a chunk %.20q %v", ErrAnswer, end, err)
		}
		if n == 0 {
			return all, nil
		}
	}
}

func line(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	if err != nil {
		if len(b) > 0 {
			err = unexpected(err)
		}
		return "", err
	}
	l, ok := strings.CutSuffix(string(b), "\r\n")
	if !ok {
		return "", fmt.Errorf("%w: a line ends without CR", ErrAnswer)
	}
	return l, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func parseEvent(a Answer, at time.Time) (Event, error) {
	var body struct{ Characteristics []Value }
	if err := json.Unmarshal(a.Body, &body); err != nil || a.Status != 200 || len(body.Characteristics) == 0 {
		return Event{}, fmt.Errorf("controller: event %d %.200q: %v", a.Status, a.Body, err)
	}
	return Event{At: at, Values: body.Characteristics}, nil
}
