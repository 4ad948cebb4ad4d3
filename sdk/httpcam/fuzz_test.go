package httpcam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzParts: whatever a device sends, parts are bounded, nothing is made up, and reading
// comes to an end.
func FuzzParts(f *testing.F) {
	a := drawn(f, 16, 16, 1)
	f.Add("multipart/x-mixed-replace; boundary=x", []byte("--x\r\nContent-Length: 3\r\n\r\nabc\r\n--x\r\n\r\n"+string(a)+"\r\n--x--"), uint8(0))
	f.Add("multipart/x-mixed-replace; boundary=--ioboundary", []byte("--ioboundary\r\nContent-Type: text/plain\r\n\r\ndoorbell:H\r\n\r\n--ioboundary\r\n"), uint8(7))
	f.Add("image/jpeg", append(bytes.Clone(a), a...), uint8(1))
	f.Add("multipart/mixed; boundary=\"a b\"", []byte("HTTP/1.1 200 OK\r\n\r\n--a b\nCode=x;data={}\n--a b\n"), uint8(3))
	f.Fuzz(func(t *testing.T, kind string, stream []byte, step uint8) {
		var r io.Reader = bytes.NewReader(stream)
		if step > 0 {
			r = &stepped{r, int(step)}
		}
		const most = 4096
		p := NewParts(r, kind, most)
		sum := 0
		for n := 0; ; n++ {
			part, err := p.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrNotParts) && !errors.Is(err, ErrPartTooBig) {
					t.Fatalf("ended with %v", err)
				}
				return
			}
			if sum += len(part.Body); len(part.Body) > most+readSize || sum > len(stream) || n > len(stream) {
				t.Fatalf("part %d of %d bytes, %d in all, out of %d", n, len(part.Body), sum, len(stream))
			}
			if !bytes.Contains(stream, part.Body) {
				t.Fatalf("part %d was not in the stream: %.100q", n, part.Body)
			}
		}
	})
}

type stepped struct {
	r io.Reader
	n int
}

func (s *stepped) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

// FuzzWellFormed: what is written as it should be is read as it was written, however it arrives.
func FuzzWellFormed(f *testing.F) {
	f.Add("frame", "hello", "you", true)
	f.Add("x", "doorbell:H", "", false)
	f.Fuzz(func(t *testing.T, boundary, one, two string, lengths bool) {
		if len(boundary) < 1 || len(boundary) > 70 || !isName(strings.ToLower(boundary)) || boundary[0] == '-' {
			return
		}
		var stream strings.Builder
		var want []string
		for _, body := range []string{one, two} {
			// A body that holds a boundary is cut there, a JPEG ends by itself, and an
			// empty one has no length to go by.
			if strings.Contains(body, boundary) || strings.HasPrefix(body, "\xff\xd8") || body == "" || strings.Trim(body, "\r\n") != body || len(body) > 1000 {
				return
			}
			head := ""
			if lengths {
				head = fmt.Sprintf("Content-Length: %d\r\n", len(body))
			}
			fmt.Fprintf(&stream, "--%s\r\nContent-Type: text/plain\r\n%s\r\n%s\r\n", boundary, head, body)
			want = append(want, body)
		}
		fmt.Fprintf(&stream, "--%s--\r\n", boundary)
		for _, r := range []io.Reader{strings.NewReader(stream.String()), iotest.OneByteReader(strings.NewReader(stream.String()))} {
			got, _, err := read(r, "multipart/mixed; boundary="+boundary)
			if !errors.Is(err, io.EOF) || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
		}
	})
}

// FuzzChallenges: what a device asks a login with.
func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a, b", nonce="x", qop="auth", Basic realm="c"`)
	f.Add(`basic`)
	f.Add(`Digest nonce="`)
	f.Fuzz(func(t *testing.T, h string) {
		lt := &loginTransport{login: Login{"u", "p"}, host: "h"}
		lt.learn([]string{h}, "")
		r := request(t)
		out, err := lt.signed(r)
		if err == nil && r.Header.Get("Authorization") != "" {
			t.Fatal("the caller's request was changed")
		}
		if err == nil && strings.ContainsAny(out.Header.Get("Authorization"), "\r\n") && !strings.ContainsAny(h, "\r\n") {
			t.Fatal("a line break in the answer")
		}
		if lt.learn([]string{h}, "x") && lt.digest == nil {
			t.Fatal("it would try Basic again")
		}
	})
}
