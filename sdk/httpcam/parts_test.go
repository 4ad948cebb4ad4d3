package httpcam

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// drawn is a JPEG with something in it, so that its coded data is not trivial.
func drawn(t testing.TB, w, h int, seed uint64) []byte {
	t.Helper()
	m, r := image.NewRGBA(image.Rect(0, 0, w, h)), rand.New(rand.NewPCG(seed, 1))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(r.Uint32()), uint8(x * 3), uint8(y * 5), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read takes all parts of an answer.
func read(r io.Reader, contentType string) (bodies []string, headers []map[string]string, err error) {
	p := NewParts(r, contentType, 1<<20)
	for {
		part, err := p.Next()
		if err != nil {
			return bodies, headers, err
		}
		bodies, headers = append(bodies, string(part.Body)), append(headers, part.Header)
	}
}

func TestPartsAsCamerasWriteThem(t *testing.T) {
	a, b := string(drawn(t, 48, 32, 1)), string(drawn(t, 32, 48, 2))
	thumb := string(drawn(t, 8, 8, 3))
	// A picture with a whole JPEG inside one of its segments, as Exif has it.
	nested := a[:2] + "\xff\xe1" + string([]byte{byte((len(thumb) + 2) >> 8), byte(len(thumb) + 2)}) + thumb + a[2:]
	const mixed = "multipart/x-mixed-replace; boundary="
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	part := func(head, body string) string {
		return "--x\r\nContent-Type: image/jpeg\r\n" + head + "\r\n" + body + "\r\n"
	}
	text := func(head, body string) string {
		return "--x\r\nContent-Type: text/plain\r\n" + head + "\r\n" + body + "\r\n"
	}
	for name, c := range map[string]struct {
		kind, stream string
		want         []string
		err          error
	}{
		"as the RFC has it":                  {mixed + "x", part(length(len(a)), a) + part(length(len(b)), b) + "--x--\r\n", []string{a, b}, io.EOF},
		"without lengths":                    {mixed + "x", part("", a) + part("", b), []string{a, b}, io.EOF},
		"lengths too small":                  {mixed + "x", part(length(10), a) + part(length(11), b), []string{a, b}, io.EOF},
		"lengths too large":                  {mixed + "x", part(length(len(a)+5000), a) + part(length(1<<19), b), []string{a, b}, io.EOF},
		"lengths that are no number":         {mixed + "x", part("Content-Length: many\r\n", a), []string{a}, io.EOF},
		"dashes announced with the boundary": {mixed + "--x", part("", a), []string{a}, io.EOF},
		"dashes that only the header has":    {mixed + "--x", strings.ReplaceAll(part("", a), "--x", "x"), []string{a}, io.EOF},
		"another boundary than announced":    {mixed + "other", part("", a) + part("", b), []string{a, b}, io.EOF},
		"a boundary in quotes":               {mixed + `"x"`, part("", a), []string{a}, io.EOF},
		"a boundary that cannot be parsed":   {mixed + "-- x y; z", part("", a), []string{a}, io.EOF},
		"no content type":                    {"", part("", a), []string{a}, io.EOF},
		"line feeds alone":                   {mixed + "x", "--x\nContent-Type: image/jpeg\n\n" + a + "\n--x\n\n" + b + "\n", []string{a, b}, io.EOF},
		"no empty line behind the headers":   {mixed + "x", "--x\r\nContent-Type: image/jpeg\r\n" + a + "\r\n--x\r\n" + b, []string{a, b}, io.EOF},
		"an empty line too many":             {mixed + "x", part("\r\n", a), []string{a}, io.EOF},
		"no line end before the boundary":    {mixed + "x", strings.TrimSuffix(part("", a), "\r\n") + part("", b), []string{a, b}, io.EOF},
		"padding behind the picture":         {mixed + "x", part(length(len(a)+64), a+strings.Repeat("\x00", 64)) + part("", b), []string{a, b}, io.EOF},
		"a text before":                      {mixed + "x", "welcome\r\n\r\n" + part("", a), []string{a}, io.EOF},
		"a whole HTTP answer between":        {mixed + "x", part("", a) + "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + part("", b), []string{a, b}, io.EOF},
		"blanks behind the boundary":         {mixed + "x", strings.ReplaceAll(part("", a), "--x", "--x  "), []string{a}, io.EOF},
		"a thumbnail inside":                 {mixed + "x", part("", nested) + part("", b), []string{nested, b}, io.EOF},
		"pictures strung together":           {"video/x-motion-jpeg", a + b + "\x00\x00" + a, []string{a, b, a}, io.EOF},
		"a single picture":                   {"image/jpeg", a, []string{a}, io.EOF},
		"cut off in a picture":               {mixed + "x", part("", a) + "--x\r\n\r\n" + b[:len(b)/2], []string{a}, io.ErrUnexpectedEOF},
		"a picture cut off by the next":      {mixed + "x", "--x\r\n\r\n" + a[:len(a)/2] + "\r\n" + part("", b), []string{a[:len(a)/2] + "\r", b}, io.EOF},
		"a page":                             {"text/html", "<html><body>" + strings.Repeat("no camera here\n", 20000), nil, ErrNotParts},
		"nothing":                            {"image/jpeg", "", nil, io.EOF},
		"texts with lengths":                 {mixed + "x", text(length(5), "hello") + text(length(3), "you"), []string{"hello", "you"}, io.EOF},
		"texts without lengths":              {mixed + "x", text("", "hello\r\nyou") + text("", "again"), []string{"hello\r\nyou", "again\r\n"}, io.EOF},
		"texts with lengths too large":       {mixed + "x", text(length(50), "hello") + text(length(40), "you") + text("", "z"), []string{"hello", "you", "z\r\n"}, io.EOF},
		"texts with lengths too small":       {mixed + "x", text(length(2), "hello") + text("", "you") + "--x--", []string{"hello", "you"}, io.EOF},
		"events without an empty line":       {mixed + "myboundary", "--myboundary\r\nContent-Type: text/plain\r\nCode=Invite;action=Pulse;data={\"a\": 1}\r\n--myboundary\r\n", []string{"Code=Invite;action=Pulse;data={\"a\": 1}"}, io.EOF},
		"JSON without an empty line":         {mixed + "x", "--x\r\nContent-Type: application/json\r\n{\"a\":\n1}\r\n--x\r\n", []string{"{\"a\":\n1}"}, io.EOF},
		"DoorBird's":                         {mixed + "--ioboundary", "--ioboundary\r\nContent-Type: text/plain\r\n\r\ndoorbell:H\r\n\r\n--ioboundary\r\nContent-Type: text/plain\r\n\r\nmotionsensor:L\r\n\r\n--ioboundary\r\n", []string{"doorbell:H\r\n", "motionsensor:L\r\n"}, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{
				"at once": strings.NewReader(c.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)), "with the end at once": iotest.DataErrReader(strings.NewReader(c.stream)),
			} {
				got, _, err := read(r, c.kind)
				if !errors.Is(err, c.err) {
					t.Errorf("%s: ended with %v, want %v", way, err, c.err)
				}
				if way == "byte by byte" && name == "texts with lengths too small" {
					continue // that a length is wrong shows by what follows it, and here nothing did yet
				}
				if len(got) != len(c.want) {
					t.Fatalf("%s: %d parts, want %d: %.200q", way, len(got), len(c.want), got)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("%s: part %d: %d bytes %.80q, want %d bytes %.80q", way, i, len(got[i]), got[i], len(c.want[i]), c.want[i])
					}
				}
			}
		})
	}
}

func TestPartsHaveTheirHeaders(t *testing.T) {
	_, h, _ := read(strings.NewReader("--b\r\nContent-Type: text/plain\r\nX-Time : 12:30\r\n\r\nhi\r\n--b\r\n"), "multipart/mixed; boundary=b")
	if len(h) != 1 || h[0]["content-type"] != "text/plain" || h[0]["x-time"] != "12:30" {
		t.Errorf("headers %v", h)
	}
}

// A part is handed out before the next one begins: a camera that sends one picture a
// minute must not be a minute late.
func TestAPictureIsHandedOutAtItsEnd(t *testing.T) {
	a := drawn(t, 32, 32, 1)
	for name, head := range map[string]string{"with its length": fmt.Sprintf("Content-Length: %d\r\n", len(a)), "without": ""} {
		r, w := io.Pipe()
		p := NewParts(r, "multipart/x-mixed-replace; boundary=x", 0)
		go func() { _, _ = w.Write(append([]byte("--x\r\nContent-Type: image/jpeg\r\n"+head+"\r\n"), a...)) }()
		if part, err := p.Next(); err != nil || !bytes.Equal(part.Body, a) { // it would hang
			t.Errorf("%s: %d bytes, %v", name, len(part.Body), err)
		}
		_ = w.Close()
	}
}

func TestPartsAreBounded(t *testing.T) {
	endless := func(b string) io.Reader { return &repeated{b: []byte(b)} }
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"one line":               {endless("x"), ErrNotParts},
		"blanks":                 {endless(" "), ErrNotParts},
		"headers":                {io.MultiReader(strings.NewReader("--x\r\n"), endless("a: b\r\n")), ErrNotParts},
		"a header":               {io.MultiReader(strings.NewReader("--x\r\nA: "), endless("y")), ErrPartTooBig},
		"a body":                 {io.MultiReader(strings.NewReader("--x\r\n\r\n"), endless("y")), ErrPartTooBig},
		"a length":               {strings.NewReader("--x\r\nContent-Length: 99999999999\r\n\r\n"), ErrPartTooBig},
		"coded data":             {io.MultiReader(bytes.NewReader(drawn(t, 16, 16, 1)[:600]), bytes.NewReader([]byte{0xFF, 0xDA, 0, 2}), endless("y")), ErrPartTooBig},
		"no progress":            {stuck{}, io.ErrNoProgress},
		"beginnings of a JPEG":   {endless("\xff\xd8"), nil},
		"boundaries":             {io.LimitReader(endless("--x\r\n"), 10<<20), ErrNotParts},
		"nothing but fill bytes": {io.MultiReader(strings.NewReader("\xff\xd8"), endless("\xff")), ErrPartTooBig},
	} {
		p := NewParts(c.r, "multipart/x-mixed-replace; boundary=x", 1<<20)
		var err error
		n := 0
		for ; err == nil && n < 10000; n++ {
			_, err = p.Next()
		}
		if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v after %d parts, want %v", name, err, n, c.want)
		}
		if cap(p.buf) > 4<<20 {
			t.Errorf("%s: keeps %d bytes", name, cap(p.buf))
		}
	}
}

type repeated struct {
	b  []byte
	at int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b[r.at%len(r.b)]
		r.at++
	}
	return len(p), nil
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
