package httpcam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Limits of what stands around the bodies.
const (
	maxLine    = 4 << 10
	maxHeaders = 64
	// maxBetween is how much may stand between two parts before it is no such stream.
	maxBetween = 256 << 10
	readSize   = 32 << 10
)

var (
	// ErrNotParts: the answer is no stream of parts.
	ErrNotParts = errors.New("no parts in the answer")
	// ErrPartTooBig: a part is larger than allowed.
	ErrPartTooBig = errors.New("a part is too big")
)

// Part is one piece of a multipart answer.
type Part struct {
	Header map[string]string // names in small letters
	Body   []byte            // the caller's to keep
}

// Parts reads multipart answers as cameras write them. It takes a boundary other than the
// one announced (the first line with two dashes is believed), dashes that are announced
// with it or missing, lengths that are missing, too small or too large, headers
// without the empty line behind them, line ends of either kind, whole HTTP headers
// between parts, and JPEGs strung together with nothing between. A JPEG is
// handed out as soon as its own end has come.
type Parts struct {
	r   io.Reader
	buf []byte // what is read and not handed out
	at  int    // where in buf the rest begins
	err error  // of the last read
	max int

	announced []byte // of the content type, without dashes
	seen      []byte // the boundary as it stands on its line
	strung    bool   // nothing but JPEGs
	wrong     bool   // a length was wrong: they are not believed any more
}

// NewParts reads from an answer's body; contentType is the answer's. maxPart in bytes, 0: MaxPicture.
func NewParts(r io.Reader, contentType string, maxPart int) *Parts {
	if maxPart <= 0 {
		maxPart = MaxPicture
	}
	p := &Parts{r: r, max: maxPart}
	_, params, err := mime.ParseMediaType(contentType)
	b := params["boundary"]
	if err != nil { // such as boundary=--x with blanks or without quotes
		_, b, _ = strings.Cut(contentType, "boundary=")
		b, _, _ = strings.Cut(b, ";")
		b = strings.Trim(strings.TrimSpace(b), `"`)
	}
	p.announced = []byte(strings.TrimLeft(b, "-"))
	return p
}

// Next is the next part. At the end it is io.EOF; a part that the end cuts off is
// io.ErrUnexpectedEOF. A body that is cut off by the next boundary is handed out as it is.
func (p *Parts) Next() (Part, error) {
	if p.seen == nil && !p.strung {
		p.skipBlank()
		p.strung = p.jpegAhead()
	}
	if p.strung {
		if err := p.toJPEG(); err != nil {
			return Part{}, err
		}
		body, err := p.jpegBody(-1)
		return Part{Body: body}, err
	}
	if err := p.toBoundary(); err != nil {
		return Part{}, err
	}
	h, err := p.header()
	if err != nil {
		return Part{}, err
	}
	size := -1
	if n, err := strconv.Atoi(h["content-length"]); err == nil && n > 0 {
		size = n
	}
	if strings.HasPrefix(h["content-type"], "image/") {
		p.skipBlank()
	}
	var body []byte
	if p.jpegAhead() {
		body, err = p.jpegBody(size)
	} else {
		body, err = p.otherBody(size)
	}
	return Part{Header: h, Body: body}, err
}

// fill reads more; false: nothing more comes.
func (p *Parts) fill() bool {
	if p.err != nil {
		return false
	}
	if p.at > 0 && p.at >= len(p.rest()) { // so that each byte is moved once at most
		p.buf = append(p.buf[:0], p.buf[p.at:]...)
		p.at = 0
	}
	p.buf = slices.Grow(p.buf, readSize)
	for range 100 { // a reader that gives nothing and no error is broken
		n, err := p.r.Read(p.buf[len(p.buf):cap(p.buf)])
		p.buf = p.buf[:len(p.buf)+n]
		if err != nil {
			p.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	p.err = io.ErrNoProgress
	return false
}

func (p *Parts) rest() []byte { return p.buf[p.at:] }

// ended is the error of a stream that is over, inside a part or between two.
func (p *Parts) ended(inside bool) error {
	switch {
	case !errors.Is(p.err, io.EOF) && !errors.Is(p.err, io.ErrUnexpectedEOF):
		return p.err
	case inside:
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// need reads until n bytes are there.
func (p *Parts) need(n int) bool {
	for len(p.rest()) < n {
		if !p.fill() {
			return false
		}
	}
	return true
}

func (p *Parts) skipBlank() {
	for range maxLine {
		if !p.need(1) || !bytes.ContainsRune([]byte(" \t\r\n"), rune(p.rest()[0])) {
			return
		}
		p.at++
	}
}

func (p *Parts) jpegAhead() bool {
	return p.need(2) && p.rest()[0] == 0xFF && p.rest()[1] == markSOI
}

// toJPEG goes to the next beginning of a JPEG.
func (p *Parts) toJPEG() error {
	for skipped := 0; skipped < maxBetween; {
		if i := bytes.Index(p.rest(), []byte{0xFF, markSOI}); i >= 0 {
			p.at += i
			return nil
		}
		n := max(0, len(p.rest())-1) // the last byte may be half of it
		p.at, skipped = p.at+n, skipped+n
		if !p.fill() {
			return p.ended(false)
		}
	}
	return fmt.Errorf("%w: no JPEG in %d bytes", ErrNotParts, maxBetween)
}

// line looks at the next line: l without its end, n bytes with it. One that is longer
// than maxLine comes in pieces. Nothing is taken.
func (p *Parts) line() (l []byte, n int, err error) {
	looked := 0
	for {
		rest := p.rest()
		if i := bytes.IndexByte(rest[looked:], '\n'); i >= 0 {
			n = looked + i
			return bytes.TrimRight(rest[:n], "\r"), n + 1, nil
		}
		if len(rest) >= maxLine {
			return rest[:maxLine], maxLine, nil
		}
		looked = len(rest)
		if !p.fill() {
			if rest = p.rest(); len(rest) > 0 {
				return rest, len(rest), nil
			}
			return nil, 0, p.ended(false)
		}
	}
}

// toBoundary goes behind the next line that is a boundary.
func (p *Parts) toBoundary() error {
	for skipped := 0; skipped < maxBetween; {
		l, n, err := p.line()
		if err != nil {
			return err
		}
		p.at += n
		if p.isBoundary(l) {
			return nil
		}
		if len(bytes.TrimSpace(l)) > 0 && p.seen != nil && !bytes.HasPrefix(l, p.seen) {
			p.wrong = true // what stands here belonged to the part before
		}
		skipped += n
	}
	return fmt.Errorf("%w: no boundary in %d bytes", ErrNotParts, maxBetween)
}

// isBoundary tells whether the line is one, and learns it where none was seen yet.
func (p *Parts) isBoundary(l []byte) bool {
	l = bytes.TrimRight(l, " \t")
	if p.seen != nil {
		return bytes.Equal(l, p.seen)
	}
	named := len(p.announced) > 0 && bytes.Equal(bytes.TrimLeft(l, "-"), p.announced)
	if !named && (len(l) < 3 || len(l) > 200 || !bytes.HasPrefix(l, []byte("--"))) {
		return false
	}
	p.seen = bytes.Clone(l)
	return true
}

// header takes the lines up to the empty one, or up to where a body begins without it.
func (p *Parts) header() (map[string]string, error) {
	h := map[string]string{}
	for range maxHeaders {
		if p.jpegAhead() || p.need(1) && bytes.ContainsRune([]byte("<{["), rune(p.rest()[0])) {
			return h, nil
		}
		l, n, err := p.line()
		if err != nil {
			return nil, err
		}
		name, value, ok := strings.Cut(string(l), ":")
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case len(bytes.TrimSpace(l)) == 0:
			p.at += n
			return h, nil
		case p.isBoundary(l): // a part without anything
			clear(h)
		case !ok || !isName(name):
			return h, nil
		default:
			h[name] = strings.TrimSpace(value)
		}
		p.at += n
	}
	return nil, fmt.Errorf("%w: more than %d headers", ErrNotParts, maxHeaders)
}

// isName: a header's name is a token of letters, digits and dashes.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// jpegBody takes a JPEG up to its own end. One that never ends is cut at the next
// boundary, or goes by its length.
func (p *Parts) jpegBody(size int) ([]byte, error) {
	var s scan
	looked := 0
	for {
		rest := p.rest()
		n, err := s.walk(rest)
		cut := p.boundaryIn(rest, looked)
		switch {
		case cut >= 0 && (n == 0 || cut < n):
			return p.take(cut, cut), nil
		case n > p.max:
			return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPartTooBig, n, p.max)
		case n > 0:
			return p.take(n, n), nil
		case err != nil && p.strung:
			p.at += 2 // look for the next beginning
			return bytes.Clone(rest[:2]), nil
		case err != nil:
			return p.otherBody(size)
		case len(rest) > p.max:
			return nil, fmt.Errorf("%w: more than %d bytes", ErrPartTooBig, p.max)
		}
		looked = len(rest)
		if !p.fill() {
			return nil, p.ended(true)
		}
	}
}

// boundaryIn finds the line break before the next boundary in b; all before looked was searched.
func (p *Parts) boundaryIn(b []byte, looked int) int {
	if p.seen == nil {
		return -1
	}
	mark := append([]byte{'\n'}, p.seen...)
	from := max(0, looked-len(mark))
	if i := bytes.Index(b[from:], mark); i >= 0 {
		return from + i
	}
	return -1
}

// take hands out the first n bytes and goes on behind them, at next.
func (p *Parts) take(n, next int) []byte {
	b := bytes.Clone(p.rest()[:n])
	p.at += next
	return b
}

// otherBody takes a body by its length where that is right, else up to the next boundary.
func (p *Parts) otherBody(size int) ([]byte, error) {
	if size > p.max {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPartTooBig, size, p.max)
	}
	looked := 0
	for {
		rest := p.rest()
		cut := p.boundaryIn(rest, looked)
		if size >= 0 && !p.wrong && len(rest) >= size && (cut < 0 || cut >= size) && p.fits(rest[size:]) {
			return p.take(size, size), nil
		}
		if cut >= 0 {
			p.wrong = p.wrong || size >= 0
			return bytes.TrimSuffix(p.take(cut, cut+1), []byte("\r")), nil
		}
		if len(rest) > p.max {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrPartTooBig, p.max)
		}
		looked = len(rest)
		if !p.fill() {
			if size >= 0 && !p.wrong || len(rest) == 0 || !errors.Is(p.err, io.EOF) {
				return nil, p.ended(true)
			}
			return p.take(len(rest), len(rest)), nil
		}
	}
}

// fits tells whether what follows a body, as far as it has come, can follow one: line
// ends and a boundary. Where nothing has come yet the length is believed.
func (p *Parts) fits(after []byte) bool {
	after = bytes.TrimLeft(after, "\r\n")
	n := min(len(after), len(p.seen))
	return bytes.Equal(after[:n], p.seen[:n])
}
