package server

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
)

const (
	maxHead = 16 << 10 // request line and headers
	maxBody = 64 << 10
	slack   = 8 << 10 // what chunked framing may add to a body

	mediaJSON = "application/hap+json"
	mediaTLV  = "application/pairing+tlv8"

	// statusUnverified is HAP's own (HAP 6.5.1.1): pair-verify first.
	statusUnverified = 470
)

// refusal is a request that cannot be served and after which the stream's place is lost.
type refusal struct{ status int }

func (r *refusal) Error() string {
	return "homekit server: request: answered " + strconv.Itoa(r.status)
}

// budget lets so many bytes through, and remembers how the stream itself ended.
type budget struct {
	from  io.Reader
	left  int
	spent bool
	err   error
}

var errSpent = errors.New("homekit server: request: too long")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.spent = true
		return 0, errSpent
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil {
		b.err = err
	}
	return n, err
}

// stream is the requests of one connection, in the clear or out of frames.
type stream struct {
	b  *budget
	br *bufio.Reader
}

func newStream(from io.Reader) *stream {
	b := &budget{from: from, left: maxHead}
	return &stream{b, bufio.NewReader(b)}
}

// raw gives the stream up: what was read ahead and all that follows, without a limit.
func (s *stream) raw() io.Reader {
	s.b.left = int(^uint(0) >> 1)
	return s.br
}

// next reads one whole request. A *refusal is to be answered, any other error is the end.
func (s *stream) next() (*http.Request, []byte, error) {
	s.b.left, s.b.spent = maxHead, false
	r, err := http.ReadRequest(s.br)
	if err != nil {
		return nil, nil, s.why(err, http.StatusRequestHeaderFieldsTooLarge)
	}
	if r.ContentLength > maxBody {
		return nil, nil, &refusal{http.StatusRequestEntityTooLarge}
	}
	s.b.left = maxBody + slack
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, nil, s.why(err, http.StatusRequestEntityTooLarge)
	}
	if len(body) > maxBody {
		return nil, nil, &refusal{http.StatusRequestEntityTooLarge}
	}
	r.Body = http.NoBody // it is here; callbacks get none
	return r, body, nil
}

func (s *stream) why(err error, long int) error {
	switch {
	case s.b.err != nil:
		return s.b.err
	case s.b.spent:
		return &refusal{long}
	}
	return &refusal{http.StatusBadRequest}
}

// reply is what a request is answered with.
type reply struct {
	status int
	media  string
	body   []byte
	after  func() // once its bytes are with the network; nil: nothing
}

func empty(status int) reply { return reply{status: status} }

// told is a HAP status as the whole body.
func told(status, hap int) reply {
	return reply{status: status, media: mediaJSON, body: attribute.Marshal(struct {
		Status int `json:"status"`
	}{hap})}
}

func pairs(body []byte) reply { return reply{status: http.StatusOK, media: mediaTLV, body: body} }

func (a reply) message() []byte {
	text := http.StatusText(a.status)
	if a.status == statusUnverified {
		text = "Connection Authorization Required"
	}
	m := make([]byte, 0, 128+len(a.body))
	m = append(m, "HTTP/1.1 "...)
	m = strconv.AppendInt(m, int64(a.status), 10)
	m = append(m, ' ')
	m = append(m, text...)
	if a.media != "" {
		m = append(m, "\r\nContent-Type: "...)
		m = append(m, a.media...)
	}
	if a.status != http.StatusNoContent {
		m = append(m, "\r\nContent-Length: "...)
		m = strconv.AppendInt(m, int64(len(a.body)), 10)
	}
	m = append(m, "\r\n\r\n"...)
	return append(m, a.body...)
}
