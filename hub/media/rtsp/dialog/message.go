package dialog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of one message.
const (
	maxLine    = 16 << 10 // bytes of a line
	maxHeaders = 128
	maxBody    = 256 << 10 // of a description; real ones have less than 4 KiB
	maxJunk    = 1 << 20   // bytes in a row that are neither frame nor message
)

// What a reader may meet.
var (
	ErrNotRTSP = errors.New("the answer is not RTSP")
	ErrNoTLS   = errors.New("the port is open, but does not answer TLS")
	ErrTooBig  = errors.New("the answer is larger than any should be")
)

// Header holds the lines of a message by their names in small letters.
type Header map[string][]string

// Get is the first value of that name, trimmed.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Message is an answer of the server, or a request of its own.
type Message struct {
	Method string // of a request; empty: an answer
	URL    string
	Status int
	Reason string
	Header Header
	Body   []byte
}

// readMessage reads one message from its first line on. It takes lines that end with LF
// alone, names in any case, status lines without a reason and folded headers.
func readMessage(br *bufio.Reader) (*Message, error) {
	line, err := readLine(br)
	if err != nil {
		return nil, err
	}
	m := &Message{Header: make(Header)}
	if err := m.start(line); err != nil {
		return nil, err
	}
	var last string
	for range maxHeaders {
		line, err := readLine(br)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return m, m.readBody(br)
		}
		if (line[0] == ' ' || line[0] == '\t') && last != "" {
			v := m.Header[last]
			v[len(v)-1] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		last = strings.ToLower(strings.TrimSpace(name))
		m.Header[last] = append(m.Header[last], strings.TrimSpace(value))
	}
	return nil, fmt.Errorf("%w: more than %d headers", ErrTooBig, maxHeaders)
}

func (m *Message) start(line string) error {
	f := strings.SplitN(line, " ", 3)
	if strings.HasPrefix(line, "RTSP/") {
		if len(f) < 2 {
			return fmt.Errorf("%w: a status line without a status", ErrNotRTSP)
		}
		n, err := strconv.Atoi(f[1])
		if err != nil || n < 100 || n > 999 {
			return fmt.Errorf("%w: a status line without a status", ErrNotRTSP)
		}
		m.Status = n
		if len(f) == 3 {
			m.Reason = clean(f[2])
		}
		return nil
	}
	if len(f) < 3 || !strings.HasPrefix(f[2], "RTSP/") {
		return ErrNotRTSP
	}
	m.Method, m.URL = f[0], f[1]
	return nil
}

// clean keeps what can be shown in a message, at most 80 bytes of it.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '�' {
			return -1
		}
		return r
	}, s)
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

func readLine(br *bufio.Reader) (string, error) {
	b, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(b) > maxLine {
		return "", fmt.Errorf("%w: a line of more than %d bytes", ErrTooBig, maxLine)
	}
	if err != nil {
		return "", err
	}
	b = bytes.TrimRight(b, "\r\n")
	return string(bytes.ReplaceAll(b, []byte{'\r'}, []byte{' '})), nil // parts of it may be sent back
}

// readBody reads as much as Content-Length says, or as much as came of it. Lines of a
// description that stand behind it belong to it too: some cameras count wrong or not at all.
func (m *Message) readBody(br *bufio.Reader) error {
	n := 0
	if s := m.Header.Get("content-length"); s != "" {
		var err error
		if n, err = strconv.Atoi(strings.TrimSpace(s)); err != nil || n < 0 {
			n = 0
		}
	}
	if n > maxBody {
		return fmt.Errorf("%w: a body of %d bytes", ErrTooBig, n)
	}
	if n > 0 {
		m.Body = make([]byte, n)
		got, err := io.ReadFull(br, m.Body)
		m.Body = m.Body[:got]
		if err != nil && !bytes.Contains(m.Body, []byte("\nm=")) {
			return err
		}
	}
	if !strings.HasPrefix(strings.ToLower(m.Header.Get("content-type")), "application/sdp") {
		return nil
	}
	if n == 0 {
		_, _ = br.Peek(2) // wait for the first of it
	}
	for len(m.Body) < maxBody && sdpAhead(br) {
		line, err := readLine(br)
		if err != nil {
			return nil // what is there may do
		}
		m.Body = append(append(m.Body, line...), '\r', '\n')
	}
	return nil
}

// sdpAhead reports whether what has come already goes on with a line of a description.
func sdpAhead(br *bufio.Reader) bool {
	b, _ := br.Peek(min(br.Buffered(), 2))
	return len(b) == 2 && b[0] >= 'a' && b[0] <= 'z' && b[1] == '='
}
