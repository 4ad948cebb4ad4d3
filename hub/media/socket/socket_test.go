package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

var (
	video = av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Width: 1280, Height: 720, SPS: []byte{0x67, 77, 0x40, 31}}
	aac   = av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 32000, SampleRate: 32000, Channels: 1}
	opus  = av.OpusTrack(3, 2)
)

// house is a server with the socket of one plugin.
type house struct {
	t    testing.TB
	core *media.Core
	s    *Server
	path string
}

func newHouse(t testing.TB) *house {
	t.Helper()
	core := media.New(media.Limits{})
	return houseOf(t, core, New(core, nil, nil))
}

func houseOf(t testing.TB, core *media.Core, s *Server) *house {
	t.Helper()
	dir := t.TempDir()
	if err := s.Listen("demo", dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &house{t, core, s, filepath.Join(dir, Name)}
}

func (h *house) token(g Grant) string {
	h.t.Helper()
	token, err := h.s.Token("demo", g)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

func (h *house) publish(stream string, tracks ...av.Track) *av.Publisher {
	h.t.Helper()
	p, err := av.NewPublisher(h.t.Context(), h.path, h.token(Grant{Direction: av.Publish, Camera: "door", Stream: stream}), tracks...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (h *house) read(g Grant) *av.Reader {
	h.t.Helper()
	g.Direction, g.Camera = av.Read, "door"
	r, err := av.Open(h.t.Context(), h.path, h.token(g))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = r.Close() })
	return r
}

func write(t testing.TB, p *av.Publisher, u av.Unit) {
	t.Helper()
	if err := p.Write(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, r *av.Reader) *av.Unit {
	t.Helper()
	u, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// await reports whether cond comes true before the test's own deadline.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	give := time.NewTimer(30 * time.Second)
	defer give.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-give.C:
			t.Fatalf("never came: %s", what)
		}
	}
}

func TestFromOnePluginToAnother(t *testing.T) {
	h := newHouse(t)
	live := h.read(Grant{Stream: "main", Start: av.Start{From: av.FromKeyFrame}})
	if live.Rendition() != "copy" {
		t.Errorf("rendition %q", live.Rendition())
	}
	p := h.publish("main", video, aac, opus)
	for i := range 10 {
		write(t, p, av.Unit{Track: 1, Key: i%5 == 0, PTS: int64(i) * 3600, Data: []byte{byte(i)}})
		write(t, p, av.Unit{Track: 2, PTS: int64(i) * 1280, Data: []byte{100}})
		write(t, p, av.Unit{Track: 3, PTS: int64(i) * 1920, Data: []byte{200}})
	}
	seen := map[uint8]int{}
	for range 30 {
		u := next(t, live)
		if u.Track == 1 && int(u.Data[0]) != seen[1] {
			t.Fatalf("frame %d where %d was due", u.Data[0], seen[1])
		}
		seen[u.Track]++
	}
	if len(live.Tracks()) != 3 {
		t.Errorf("tracks %v", live.Tracks())
	}
	one := h.read(Grant{Stream: "main", Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}, Until: media.RingEnd,
		Rendition: av.Rendition{Audio: av.AudioRendition{Codec: av.Opus}}})
	count := map[uint8]int{}
	for {
		u, err := one.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		count[u.Track]++
	}
	if count[1] != 10 || count[2] != 0 || count[3] != 10 {
		t.Errorf("video and Opus of the ring: %v", count)
	}

	// The plugin goes and comes back; who reads goes on.
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the stream", func() bool { return !h.core.Stream("door", "main").Live() })
	p = h.publish("main", video)
	write(t, p, av.Unit{Track: 1, Key: true, PTS: 5, Data: []byte("again")})
	if u := next(t, live); string(u.Data) != "again" || !u.Discontinuity || len(live.Tracks()) != 1 {
		t.Errorf("after the restart: %+v", u)
	}
	// A second publisher of the stream supersedes the first, with its first unit.
	p2 := h.publish("main", video)
	write(t, p2, av.Unit{Track: 1, Key: true, Data: []byte("second")})
	if u := next(t, live); string(u.Data) != "second" {
		t.Errorf("%q", u.Data)
	}
	await(t, "the first publisher's end", func() bool {
		_ = p.Write(context.Background(), &av.Unit{Track: 1, Data: []byte{1}})
		var closed *av.ClosedByPeer
		return errors.As(p.Err(), &closed) && strings.Contains(closed.Reason, "another connection")
	})
}

func TestTokens(t *testing.T) {
	h := newHouse(t)
	other := t.TempDir()
	if err := h.s.Listen("other", other); err != nil {
		t.Fatal(err)
	}
	token := h.token(Grant{Direction: av.Publish, Camera: "door", Stream: "main"})
	refused := func(path, token string) {
		t.Helper()
		_, err := av.Dial(t.Context(), path, token)
		var r *av.Refused
		if !errors.As(err, &r) || r.Code() != "E-MEDIA-TOKEN" || r.Hint() == "" {
			t.Errorf("%v", err)
		}
	}
	refused(h.path, "")
	refused(h.path, token[1:])
	refused(filepath.Join(other, Name), token) // another plugin's
	c, err := av.Dial(t.Context(), h.path, token)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	refused(h.path, token) // once only

	late := h.token(Grant{Direction: av.Read, Camera: "door", Stream: "main"})
	in, _ := h.s.instance("demo")
	in.mu.Lock()
	in.tickets[len(in.tickets)-1].expires = time.Now().Add(-time.Millisecond)
	in.mu.Unlock()
	refused(h.path, late)

	for range 3 * maxPending {
		h.token(Grant{Direction: av.Read, Camera: "door", Stream: "main"})
	}
	if n := len(in.tickets); n > maxPending {
		t.Errorf("%d tokens kept", n)
	}
	if _, err := h.s.Token("nobody", Grant{}); !errors.Is(err, ErrNotListening) {
		t.Errorf("%v", err)
	}
	if st, ok := h.s.Stats("demo"); !ok || st.Refused < 4 || st.Let != 1 {
		t.Errorf("%+v", st)
	}
}

func TestFilesOfTheSocket(t *testing.T) {
	h := newHouse(t)
	fi, err := os.Stat(h.path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	// A socket file that a killed hub has left is in nobody's way.
	dir := t.TempDir()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, Name), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := h.s.Listen("demo", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.path); err == nil {
		t.Error("the instance before has left its socket")
	}
	if err := h.s.Close("demo"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, Name)); err == nil {
		t.Error("the socket is still there")
	}
	if err := h.s.Close("demo"); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// raw lets a test send what a publisher would not.
func (h *house) raw(token string) net.Conn {
	h.t.Helper()
	c, err := net.Dial("unix", h.path)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	hello := append([]byte("PLM1"), byte(len(token)), 0)
	if _, err := c.Write(append(hello, token...)); err != nil {
		h.t.Fatal(err)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c, head); err != nil || head[4] != 0 {
		h.t.Fatalf("answer %v %v", head, err)
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[5])|int64(head[6])<<8); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func TestBadUnitsCostTheConnectionOnly(t *testing.T) {
	h := newHouse(t)
	good := h.publish("sub", video)
	write(t, good, av.Unit{Track: 1, Key: true, Data: []byte{1}})
	r := h.read(Grant{Stream: "sub", Start: av.Start{From: av.FromKeyFrame}})
	next(t, r)
	bad := 0
	for name, b := range map[string][]byte{
		"over the limit":       av.Header{Length: av.MaxUnit + 1, Track: av.ImageTrack}.Append(nil),
		"without description":  append(av.Header{Length: 1, Track: 1}.Append(nil), 7),
		"not a frame":          bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 4),
		"a broken description": append(av.Header{Length: 1, Track: 1, Flags: av.FlagConfig}.Append(nil), '{'),
	} {
		c := h.raw(h.token(Grant{Direction: av.Publish, Camera: "door", Stream: "main"}))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(c) // until the hub closes
		if len(said) < 6 || !strings.Contains(string(said[6:]), "media frame") {
			t.Errorf("%s: the hub said %q", name, said)
		}
		bad++
	}
	write(t, good, av.Unit{Track: 1, PTS: 3600, Data: []byte{2}})
	if u := next(t, r); u.Data[0] != 2 {
		t.Error("the good connection was touched")
	}
	await(t, "the count", func() bool { st, _ := h.s.Stats("demo"); return st.Broken == uint64(bad) })
}

func TestSnapshotBothWays(t *testing.T) {
	h := newHouse(t)
	token, wait, err := h.s.SnapshotToken("demo", "door")
	if err != nil {
		t.Fatal(err)
	}
	taken := time.Unix(1700000000, 0)
	sent := make(chan error, 1) // one result
	go func() { sent <- av.SendImage(t.Context(), h.path, token, []byte("a jpeg"), taken) }()
	p, err := wait(t.Context())
	if err != nil || string(p.JPEG) != "a jpeg" || !p.Taken.Equal(taken) {
		t.Fatalf("%+v %v", p, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("sender: %v", err)
	}
	token, err = h.s.PictureToken("demo", "door", p)
	if err != nil {
		t.Fatal(err)
	}
	u, err := av.ReadImage(t.Context(), h.path, token)
	if err != nil || string(u.Data) != "a jpeg" || u.Track != av.ImageTrack {
		t.Errorf("%+v %v", u, err)
	}

	// A plugin that comes and sends none.
	token, wait, err = h.s.SnapshotToken("demo", "door")
	if err != nil {
		t.Fatal(err)
	}
	c, err := av.Dial(t.Context(), h.path, token)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := wait(t.Context()); err == nil {
		t.Error("a picture out of nothing")
	}
	_, wait, _ = h.s.SnapshotToken("demo", "door")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody came: %v", err)
	}

	// Pictures pushed beside the stream are the camera's newest.
	pub := h.publish("main")
	write(t, pub, av.Unit{Track: av.ImageTrack, Data: []byte("pushed")})
	await(t, "the pushed picture", func() bool { p, _ := h.core.Image("door"); return string(p.JPEG) == "pushed" })
	if h.core.Stream("door", "main").Live() {
		t.Error("a picture alone makes no live stream")
	}
}

func TestTalk(t *testing.T) {
	h := newHouse(t)
	for _, word := range []string{"hello", "leave it"} {
		token, err := h.s.TalkToken("demo", "door", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := av.Open(t.Context(), h.path, token)
		if err != nil {
			t.Fatal(err)
		}
		p := h.publish(media.Talk, av.PCMTrack(1, av.L16, 16000, 1))
		for i := range 5 {
			write(t, p, av.Unit{Track: 1, PTS: int64(i) * 320, Data: []byte(word)})
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if u := next(t, r); string(u.Data) != word {
				t.Fatalf("word %d: %q, want %q", i, u.Data, word)
			}
		}
		if u, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the talker: %v %v", u, err)
		}
		r.Close()
	}
}

func TestRenditions(t *testing.T) {
	h := newHouse(t)
	small := av.Rendition{Video: av.VideoRendition{MaxWidth: 320}}
	token := h.token(Grant{Direction: av.Read, Camera: "door", Stream: "main", Rendition: small}) // nothing is known yet
	p := h.publish("main", video)
	write(t, p, av.Unit{Track: 1, Key: true, Data: []byte{1}})
	if _, err := av.Open(t.Context(), h.path, token); !errors.Is(err, av.ErrNotYet) {
		t.Errorf("%v", err)
	}
	await(t, "tracks", func() bool { return len(h.core.Stream("door", "main").Tracks()) > 0 })
	_, err := h.s.Token("demo", Grant{Direction: av.Read, Camera: "door", Stream: "main", Rendition: small})
	var unfit *media.Unfit
	if !errors.Is(err, av.ErrNotYet) || !errors.As(err, &unfit) || unfit.Code() != "E-MEDIA-NOT-YET" {
		t.Errorf("%v", err)
	}
	h.read(Grant{Stream: "main", Rendition: av.Rendition{Video: av.VideoRendition{MaxWidth: 1280}}})
}

func TestFrozenReaderDelaysNobodyAndIsLetGo(t *testing.T) {
	h := newHouse(t)
	frozen := h.raw(h.token(Grant{Direction: av.Read, Camera: "door", Stream: "main", Start: av.Start{From: av.FromLive}}))
	defer frozen.Close()
	r := h.read(Grant{Stream: "main", Start: av.Start{From: av.FromLive}})
	await(t, "two readers", func() bool { return h.core.Stream("door", "main").Stats().Readers == 2 })
	p := h.publish("main", video)
	for i := range 300 { // 30 MB: more than the window and the ring
		write(t, p, av.Unit{Track: 1, Key: i%10 == 0, PTS: int64(i) * 3600, Data: make([]byte, 100_000)})
		if u := next(t, r); u.DTS < 0 || len(u.Data) != 100_000 {
			t.Fatal("bad unit")
		}
	}
	if st := p.Stats(); st.Dropped != 0 {
		t.Errorf("the publisher had to drop %d units", st.Dropped)
	}
	if err := h.s.Close("demo"); err != nil { // ends the frozen one too
		t.Fatal(err)
	}
	if n := h.core.Stream("door", "main").Stats().Readers; n != 0 {
		t.Errorf("%d readers left", n)
	}
}

func TestTooManyConnections(t *testing.T) {
	h := newHouse(t)
	for range maxConns {
		h.raw(h.token(Grant{Direction: av.Publish, Camera: "door", Stream: "main"}))
	}
	_, err := av.Dial(t.Context(), h.path, h.token(Grant{Direction: av.Publish, Camera: "door", Stream: "main"}))
	var r *av.Refused
	if !errors.As(err, &r) || r.Code() != "E-MEDIA-LIMIT" {
		t.Errorf("%v", err)
	}
}

func TestSilentConnectionsTakeNoDescriptors(t *testing.T) {
	h := newHouse(t)
	var all []net.Conn
	for range 4 * maxConns {
		c, err := net.Dial("unix", h.path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		if st, _ := h.s.Stats("demo"); st.Open > maxWaiting {
			t.Fatalf("%d connections are open", st.Open)
		}
	}
	await(t, "the refusals", func() bool { st, _ := h.s.Stats("demo"); return st.Refused >= 2*maxConns })
	for _, c := range all {
		_ = c.Close()
	}
	await(t, "the end of all", func() bool { st, _ := h.s.Stats("demo"); return st.Open == 0 })
	p := h.publish("main", video)
	write(t, p, av.Unit{Track: 1, Key: true, Data: []byte{1}})
}

// BenchmarkThrough is a frame from a plugin through the ring to another plugin.
func BenchmarkThrough(b *testing.B) {
	h := newHouse(b)
	r := h.read(Grant{Stream: "main", Start: av.Start{From: av.FromLive}})
	p := h.publish("main", video)
	data := make([]byte, 20_000)
	b.SetBytes(int64(len(data)))
	for i := range b.N {
		write(b, p, av.Unit{Track: 1, Key: i%50 == 0, PTS: int64(i) * 3600, Data: data})
		next(b, r)
	}
}
