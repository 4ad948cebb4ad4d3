package av

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pipe is two ends of a real Unix socket.
func pipe(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("unix", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

var testTrack = Track{ID: 1, Kind: Video, Codec: H264, ClockRate: ClockVideo, Generation: 3, SPS: []byte{1, 2}, FPS: 12.5}

func publisher(t testing.TB, c net.Conn, tracks ...Track) *Publisher {
	t.Helper()
	p, err := (&Conn{net: c}).Publisher(tracks...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFramesArriveAsTheyWereSent(t *testing.T) {
	a, b := pipe(t)
	w := NewFrameWriter(a)
	defer w.Close()
	u := &Unit{Track: 1, Key: true, Discontinuity: true, PTS: -5, DTS: -1 << 62, Wall: time.Unix(12, 345), Generation: 3, Data: []byte("picture")}
	if err := w.Track(testTrack); err != nil {
		t.Fatal(err)
	}
	w.Unit(u)
	w.End("enough")
	if err := w.Flush(time.Second); err != nil {
		t.Fatal(err)
	}
	r := NewFrameReader(b, b)
	f, err := r.Next()
	if err != nil || f.Track == nil || !bytes.Equal(f.Track.SPS, testTrack.SPS) || f.Track.Generation != 3 || f.Track.FPS != 12.5 {
		t.Fatalf("track: %+v %v", f.Track, err)
	}
	f, err = r.Next()
	if err != nil || f.Unit == nil || !f.Unit.Wall.Equal(u.Wall) || string(f.Unit.Data) != "picture" ||
		f.Unit.PTS != u.PTS || f.Unit.DTS != u.DTS || !f.Unit.Key || !f.Unit.Discontinuity || f.Unit.Generation != 3 {
		t.Fatalf("unit: %+v %v", f.Unit, err)
	}
	if f, err = r.Next(); err != nil || !f.End || f.Reason != "enough" {
		t.Fatalf("end: %+v %v", f, err)
	}
}

func TestBadFrames(t *testing.T) {
	config := func(id uint8, body string) []byte {
		return append(Header{Length: uint32(len(body)), Track: id, Flags: FlagConfig}.Append(nil), body...)
	}
	version := Header{}.Append(nil)
	version[4] = 2
	for _, c := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"too big", Header{Length: MaxUnit + 1, Track: ImageTrack}.Append(nil), ErrTooBig},
		{"description too big", Header{Length: maxConfig + 1, Flags: FlagConfig}.Append(nil), ErrTooBig},
		{"version", version, ErrVersion},
		{"no description", Header{Track: 7}.Append(nil), ErrNoConfig},
		{"bad JSON", config(1, "{"), ErrConfig},
		{"no clock", config(1, `{"id":1,"kind":"video","codec":"h264"}`), ErrConfig},
		{"another id", config(1, `{"id":2,"kind":"video","codec":"h264","clock_rate":90000}`), ErrConfig},
		{"cut header", make([]byte, 10), io.ErrUnexpectedEOF},
		{"cut body", Header{Length: 10, Track: ImageTrack}.Append(nil), io.ErrUnexpectedEOF},
		{"nothing", nil, io.EOF},
	} {
		if _, err := NewFrameReader(bytes.NewReader(c.raw), nil).Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCreditHoldsTheSender(t *testing.T) {
	a, b := pipe(t)
	w := NewFrameWriter(a)
	defer w.Close()
	sent := make(chan int, 1)
	go func() { // stops when it must wait
		n := 0
		for w.Room(1 << 20) {
			w.Unit(&Unit{Track: ImageTrack, Data: make([]byte, 1<<20)})
			if w.Flush(10*time.Second) != nil {
				break
			}
			n++
		}
		sent <- n
	}()
	r := NewFrameReader(b, nil) // takes all and credits nothing
	for range 7 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-sent; n != 7 {
		t.Errorf("%d MiB were sent without credit, want 7 and their headers within the window of 8", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Wait(ctx, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	r.credit = b
	r.giveCredit()
	if err := w.Wait(t.Context(), MaxUnit); err != nil {
		t.Errorf("a unit of the biggest size never gets room: %v", err)
	}
}

func TestCreditForNothingEndsTheConnection(t *testing.T) {
	a, b := pipe(t)
	w := NewFrameWriter(a)
	defer w.Close()
	if _, err := b.Write([]byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	<-w.Done()
	if w.Err() == nil {
		t.Error("accepted")
	}
}

func TestPublisherHearsWhyItWasClosed(t *testing.T) {
	a, b := pipe(t)
	p := publisher(t, a, testTrack)
	if err := SayClosing(b, "too loud"); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	<-p.Done()
	err := p.Write(t.Context(), &Unit{Track: 1, Data: []byte{1}})
	var closed *ClosedByPeer
	if !errors.As(err, &closed) || closed.Reason != "too loud" {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestPublisher(t *testing.T) {
	a, b := pipe(t)
	p := publisher(t, a)
	if err := p.Write(t.Context(), &Unit{Track: 1}); !errors.Is(err, ErrNoConfig) {
		t.Errorf("unit before its track: %v", err)
	}
	if err := p.SetTrack(Track{ID: 1}); err == nil {
		t.Error("a track of nothing was taken")
	}
	tr := testTrack
	tr.Generation = 0
	if err := p.SetTrack(tr); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), &Unit{Track: 1, Data: make([]byte, MaxUnit+1)}); !errors.Is(err, ErrTooBig) {
		t.Errorf("too big: %v", err)
	}
	if err := p.Write(t.Context(), &Unit{Track: 1, PTS: 77, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if err := p.SetTrack(tr); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), &Unit{Track: ImageTrack, Data: []byte{2}}); err != nil {
		t.Fatal(err)
	}
	go p.Close()
	r := NewFrameReader(b, b)
	var got []string
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Track != nil:
			got = append(got, "track "+string(rune('0'+f.Track.Generation)))
		case f.Unit != nil && f.Unit.Track == 1:
			got = append(got, "unit "+string(rune('0'+f.Unit.Generation)))
			if f.Unit.DTS != 77 || f.Unit.Wall.IsZero() {
				t.Errorf("dts %d wall %v", f.Unit.DTS, f.Unit.Wall)
			}
		case f.Unit != nil:
			got = append(got, "image")
		}
		if f.End {
			break
		}
	}
	if want := "track 1,unit 1,track 2,image"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	<-p.Done()
	if err := p.Write(t.Context(), &Unit{Track: 1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

func TestPublisherDropsWholeGOPsAndNeverWaits(t *testing.T) {
	a, b := pipe(t)
	p := publisher(t, a, testTrack, Track{ID: 2, Kind: Sound, Codec: AAC, ClockRate: 32000})
	const size, gop, frames = 100 << 10, 10, 400 // 40 MB against 8 of window and 8 of queue
	for i := range frames {
		if err := p.Write(t.Context(), &Unit{Track: 1, Key: i%gop == 0, PTS: int64(i), Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		if err := p.Write(t.Context(), &Unit{Track: 2, PTS: int64(i), Data: make([]byte, 10)}); err != nil {
			t.Fatal(err)
		}
		if n := p.Stats().QueuedBytes; n > queueBytes {
			t.Fatalf("%d bytes in the queue", n)
		}
	}
	st := p.Stats()
	if st.Dropped == 0 || st.DroppedGOPs == 0 {
		t.Errorf("nothing was dropped: %+v", st)
	}
	go p.Close()
	r := NewFrameReader(b, b)
	last, lastSound, n, lost := int64(-1), int64(-1), 0, 0
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.End {
			break
		}
		switch u := f.Unit; {
		case u == nil:
		case u.Track == 1:
			n++
			if u.PTS != last+1 {
				lost += int(u.PTS - last - 1)
				if !u.Key || !u.Discontinuity {
					t.Fatalf("frame %d after %d: key %v, discontinuity %v", u.PTS, last, u.Key, u.Discontinuity)
				}
			}
			last = u.PTS
		case u.PTS != lastSound+1 && !u.Discontinuity:
			t.Fatalf("sound %d after %d without a mark", u.PTS, lastSound)
		default:
			lastSound = u.PTS
		}
	}
	// What is lost at the very end has no frame behind it.
	if lost += frames - 1 - int(last); n+lost != frames {
		t.Errorf("%d frames came and %d are missing, of %d", n, lost, frames)
	}
	if n < 60 {
		t.Errorf("only %d frames came", n)
	}
}

func TestOutboxPolicy(t *testing.T) {
	fill := func(kinds string) *outbox {
		var q outbox
		for i, k := range kinds {
			switch k {
			case 'K', 'p':
				q.unit(&Unit{Track: 1, Key: k == 'K', PTS: int64(i), Data: []byte{1}}, Video)
			case 'a':
				q.unit(&Unit{Track: 2, PTS: int64(i), Data: []byte{1}}, Sound)
			case 'T':
				q.track(Track{ID: 1, Kind: Video})
			case 'S':
				q.track(Track{ID: 2, Kind: Sound})
			}
		}
		return &q
	}
	show := func(q *outbox) string {
		var b strings.Builder
		for _, it := range q.items {
			c := "a"
			switch {
			case it.track != nil:
				c = "T"
			case it.unit.Track == 1 && it.unit.Key:
				c = "K"
			case it.unit.Track == 1:
				c = "p"
			}
			if it.unit != nil && it.unit.Discontinuity {
				c += "!"
			}
			b.WriteString(c)
		}
		return b.String()
	}
	for _, c := range []struct{ before, after string }{
		{"TKppKpp", "TKK!pp"},
		{"TppKpp", "TK!pp"},
		{"TKapaKap", "TKK!a!p"},
		{"TKpTpK", "TKTK!"},
		{"TKK", "TK!"},
		{"TKpp", "TK"},
		{"Saaaaaaaa", "Ta!aaaaa"},
	} {
		q := fill(c.before)
		q.drop()
		if got := show(q); got != c.after {
			t.Errorf("%s: %s, want %s", c.before, got, c.after)
		}
	}
	q := fill("TKpp")
	q.drop()
	for _, u := range []*Unit{{Track: 1}, {Track: 2}} {
		if q.unit(u, map[uint8]Kind{1: Video, 2: Sound}[u.Track]) {
			t.Error("a unit of the GOP that was cut was taken")
		}
	}
	if u := (&Unit{Track: 1, Key: true}); !q.unit(u, Video) || !u.Discontinuity {
		t.Error("the next key frame is to be taken, with a mark")
	}
}

func TestReaderLosesNothingToACancelledNext(t *testing.T) {
	a, b := pipe(t)
	r := (&Conn{net: a}).Reader()
	raw := Header{Length: 6, Track: ImageTrack}.Append(nil)
	raw = append(raw, "abcdef"...)
	for _, part := range slices.Collect(slices.Chunk(raw, 7)) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		if u, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v %v", u, err)
		}
		cancel()
		if _, err := b.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := r.Next(t.Context()); err != nil || string(u.Data) != "abcdef" {
		t.Fatalf("%v %v", u, err)
	}
	_ = b.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestHello(t *testing.T) {
	for _, c := range []struct {
		name   string
		server func(net.Conn)
		check  func(error) bool
	}{
		{"let in", func(c net.Conn) {
			if tok, err := ReadHello(c); err != nil || tok != "secret" {
				t.Errorf("%q %v", tok, err)
			}
			_ = WriteAnswer(c, StatusOK, Answer{Camera: "door"})
		}, func(err error) bool { return err == nil }},
		{"refused", func(c net.Conn) {
			_, _ = ReadHello(c)
			_ = WriteAnswer(c, StatusRefused, Answer{Code: "E-X", Reason: "no", Hint: "ask"})
		}, func(err error) bool {
			var r *Refused
			return errors.As(err, &r) && r.Code() == "E-X" && r.Hint() == "ask" && !errors.Is(err, ErrNotYet)
		}},
		{"not yet", func(c net.Conn) {
			_, _ = ReadHello(c)
			_ = WriteAnswer(c, StatusNotYet, Answer{Reason: "later"})
		}, func(err error) bool { return errors.Is(err, ErrNotYet) }},
		{"another protocol", func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200")) }, func(err error) bool { return err != nil }},
		{"gone", func(c net.Conn) { _ = c.Close() }, func(err error) bool { return err != nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "media.sock")
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				if conn, err := ln.Accept(); err == nil {
					c.server(conn)
				}
			}()
			conn, err := Dial(t.Context(), path, "secret")
			if !c.check(err) {
				t.Errorf("%v", err)
			}
			if conn != nil {
				conn.Close()
			}
		})
	}
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "none"), ""); err == nil {
		t.Error("no socket, no error")
	}
}

// FuzzFrame reads whatever bytes as frames, in one go and torn, and writes what it read
// again: nothing may panic, exceed the limits or change.
func FuzzFrame(f *testing.F) {
	good := Header{Length: 2, Track: ImageTrack, Flags: FlagKey | FlagDiscontinuity, PTS: 1, DTS: -1, Wall: 5, Generation: 9}.Append(nil)
	good = append(good, 1, 2)
	desc := `{"id":1,"kind":"video","codec":"h264","clock_rate":90000,"sps":"AQI="}`
	f.Add(good)
	f.Add(append(append(Header{Length: uint32(len(desc)), Track: 1, Flags: FlagConfig}.Append(nil), desc...), good...))
	f.Add(append(Header{Length: 3, Flags: FlagEnd}.Append(nil), "end"...))
	f.Add(Header{Length: MaxUnit + 1, Track: ImageTrack}.Append(nil))
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := readAll(NewFrameReader(bytes.NewReader(b), nil))
		torn := readAll(NewFrameReader(&tearing{b: b}, nil))
		if len(whole) != len(torn) {
			t.Fatalf("%d frames at once, %d torn", len(whole), len(torn))
		}
		for i, fr := range whole {
			if fr.Unit == nil {
				continue
			}
			u := fr.Unit
			if len(u.Data) > MaxUnit || !bytes.Equal(u.Data, torn[i].Unit.Data) {
				t.Fatalf("unit of %d bytes", len(u.Data))
			}
			h := Header{Length: uint32(len(u.Data)), Track: u.Track, PTS: u.PTS, DTS: u.DTS, Wall: u.Wall.UnixNano(), Generation: u.Generation}
			if got, err := ParseHeader(h.Append(nil)); err != nil || got != h {
				t.Fatalf("%+v became %+v, %v", h, got, err)
			}
			u.NALs(func([]byte) bool { return true })
		}
		_, _ = readHello(bytes.NewReader(b))
		_ = SplitAnnexB(b)
		if len(b) > 0 {
			p := H264FromAnnexB(b)
			(&Unit{Data: p.Data}).AnnexB(p.SPS, p.PPS)
			_, _ = H264Track(1, b, nil)
			_ = Track{Codec: H265, SPS: b}.CodecString()
		}
	})
}

func readAll(r *FrameReader) (out []Frame) {
	for len(out) < 1000 {
		fr, err := r.Next()
		var tear *tornError
		if errors.As(err, &tear) {
			continue
		}
		if err != nil {
			return out
		}
		out = append(out, fr)
	}
	return out
}

// tearing gives three bytes and then an error, as a deadline does.
type tearing struct {
	b    []byte
	torn bool
}

type tornError struct{}

func (*tornError) Error() string { return "torn" }

func (r *tearing) Read(p []byte) (int, error) {
	if r.torn = !r.torn; r.torn {
		return 0, &tornError{}
	}
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(3, len(p))], r.b)
	r.b = r.b[n:]
	return n, nil
}

// BenchmarkSocket is the CPU of units over the media socket against the same bytes written
// and read raw, into memory of their own as well; both ends are counted.
func BenchmarkSocket(b *testing.B) {
	data := make([]byte, 20_000) // a frame of 4 Mbit/s at 25 fps
	b.Run("raw", func(b *testing.B) {
		a, z := pipe(b)
		go func() {
			for range b.N {
				if _, err := a.Write(data); err != nil {
					return
				}
			}
		}()
		cpu(b, len(data), func() error {
			_, err := io.ReadFull(z, make([]byte, len(data)))
			return err
		})
	})
	b.Run("units", func(b *testing.B) {
		a, z := pipe(b)
		w := NewFrameWriter(a)
		defer w.Close()
		go func() {
			for range b.N {
				if w.Wait(b.Context(), len(data)) != nil {
					return
				}
				w.Unit(&Unit{Track: ImageTrack, Data: data})
				if w.Flush(0) != nil {
					return
				}
			}
		}()
		r := NewFrameReader(z, z)
		cpu(b, len(data), func() error {
			_, err := r.Next()
			return err
		})
	})
}

// cpu runs f b.N times and reports the processor time of the process for each Mbit.
func cpu(b *testing.B, size int, f func() error) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.SetBytes(int64(size))
	began := used()
	for range b.N {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(used()-began)/float64(b.N)/(float64(size)*8/1e6), "cpu-ns/Mbit")
}
