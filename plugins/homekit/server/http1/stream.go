package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
)

const (
	// MaxHead is the most of a request line and headers.
	MaxHead = 16 << 10
	// MaxBody is the most of a body.
	MaxBody = 64 << 10

	slack = 8 << 10 // what chunked framing may add to a body
)

// Refusal is a request that cannot be served and after which the stream's place is lost.
type Refusal struct{ Status int }

func (r *Refusal) Error() string {
	return "http1: request: answered " + strconv.Itoa(r.Status)
}

// budget lets so many bytes through, and remembers how the stream itself ended.
type budget struct {
	from  io.Reader
	left  int
	spent bool
	err   error
}

var errSpent = errors.New("http1: request: too long")

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

// Stream is the requests of one connection, in the clear or out of frames.
type Stream struct {
	b  *budget
	br *bufio.Reader
}

// New reads requests from a stream.
func New(from io.Reader) *Stream {
	b := &budget{from: from, left: MaxHead}
	return &Stream{b, bufio.NewReader(b)}
}

// Raw gives the stream up: what was read ahead and all that follows, without a limit.
func (s *Stream) Raw() io.Reader {
	s.b.left = int(^uint(0) >> 1)
	return s.br
}

// Wait returns with the first byte of the next request.
func (s *Stream) Wait() error {
	s.b.left = MaxHead
	_, err := s.br.Peek(1)
	return err
}

// Next reads one whole request. A *Refusal is to be answered, any other error is the end.
func (s *Stream) Next() (*http.Request, []byte, error) {
	s.b.left, s.b.spent = MaxHead, false
	r, err := http.ReadRequest(s.br)
	if err != nil {
		return nil, nil, s.why(err, http.StatusRequestHeaderFieldsTooLarge)
	}
	if r.ContentLength > MaxBody {
		return nil, nil, &Refusal{http.StatusRequestEntityTooLarge}
	}
	s.b.left = MaxBody + slack
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return nil, nil, s.why(err, http.StatusRequestEntityTooLarge)
	}
	if len(body) > MaxBody {
		return nil, nil, &Refusal{http.StatusRequestEntityTooLarge}
	}
	r.Body = http.NoBody // it is here; callbacks get none
	return r, body, nil
}

func (s *Stream) why(err error, long int) error {
	switch {
	case s.b.err != nil:
		return s.b.err
	case s.b.spent:
		return &Refusal{long}
	}
	return &Refusal{http.StatusBadRequest}
}
