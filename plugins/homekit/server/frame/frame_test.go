package frame

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func pair(t testing.TB, from io.Reader) (*Sealer, *Reader) {
	t.Helper()
	key := [32]byte{1, 2, 3}
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(from, key)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestEverySizeComesBack(t *testing.T) {
	var wire bytes.Buffer
	s, r := pair(t, &wire)
	for n := 1; n <= 2100; n++ {
		text := bytes.Repeat([]byte{byte(n)}, n)
		wire.Write(s.Seal(nil, text))
		got := make([]byte, n)
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if wire.Len() != 0 {
			t.Fatalf("%d bytes: %d left on the wire", n, wire.Len())
		}
	}
}

// TestFullFrameIsNotHeldBack: text of exactly one frame is there although nothing follows.
func TestFullFrameIsNotHeldBack(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	s, r := pair(t, in)
	go out.Write(s.Seal(nil, make([]byte, Most)))
	n, err := r.Read(make([]byte, 2*Most))
	if n != Most || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestByteByByte(t *testing.T) {
	s, _ := pair(t, nil)
	text := bytes.Repeat([]byte("porch"), 1000)
	_, r := pair(t, iotest.OneByteReader(bytes.NewReader(s.Seal(nil, text))))
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(text), err)
	}
}

func TestWhatIsNotOfTheKeyIsRefused(t *testing.T) {
	s, _ := pair(t, nil)
	first, second := s.Seal(nil, []byte("one")), s.Seal(nil, []byte("two"))
	bent := bytes.Clone(first)
	bent[3] ^= 1
	length := bytes.Clone(first)
	length[0]--
	for name, c := range map[string]struct {
		wire []byte
		want error
	}{
		"replayed":        {append(bytes.Clone(first), first...), ErrForged},
		"out of order":    {append(bytes.Clone(second), first...), ErrForged},
		"a bit turned":    {bent, ErrForged},
		"shorter length":  {length, ErrForged},
		"over 1024":       {[]byte{1, 4, 0}, ErrTooLong},
		"length only":     {first[:1], io.ErrUnexpectedEOF},
		"cut in the text": {first[:4], io.ErrUnexpectedEOF},
		"no text at all":  {first[:2], io.ErrUnexpectedEOF},
		"wrong tag, zero": {make([]byte, 18), ErrForged},
		"nothing":         {nil, nil},
	} {
		_, r := pair(t, bytes.NewReader(c.wire))
		_, err := io.ReadAll(r)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, again := r.Read(make([]byte, 1)); c.want != nil && !errors.Is(again, c.want) {
			t.Errorf("%s: then %v", name, again)
		}
	}
}

func FuzzReader(f *testing.F) {
	s, _ := pair(f, nil)
	f.Add(s.Seal(nil, []byte("GET /accessories HTTP/1.1\r\n\r\n")))
	f.Add(s.Seal(nil, make([]byte, 3000)))
	f.Add([]byte{0xff, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		_, r := pair(t, bytes.NewReader(wire))
		text, err := io.ReadAll(r)
		if len(text) > len(wire) {
			t.Fatalf("%d bytes of text from %d", len(text), len(wire))
		}
		if err != nil && len(text) > 0 && len(wire) < Around+1 {
			t.Fatalf("text from less than a frame: %v", err)
		}
	})
}

// FuzzTurned: a sealed message in which anything was changed gives at most a beginning of it.
func FuzzTurned(f *testing.F) {
	f.Add([]byte("a request"), uint(5), byte(1))
	f.Fuzz(func(t *testing.T, text []byte, at uint, by byte) {
		s, _ := pair(t, nil)
		wire := s.Seal(nil, text)
		if len(wire) == 0 || by == 0 {
			return
		}
		wire[at%uint(len(wire))] ^= by
		_, r := pair(t, bytes.NewReader(wire))
		got, err := io.ReadAll(r)
		if err == nil || !bytes.HasPrefix(text, got) || len(got) == len(text) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(text), err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, _ := pair(b, nil)
	text := make([]byte, 16*Most)
	for i := range text {
		text[i] = byte(rand.IntN(256))
	}
	dst := make([]byte, 0, 16*(Most+Around))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		dst = s.Seal(dst[:0], text)
	}
}
