package mse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// page is a browser's end.
type page struct {
	t  *testing.T
	ws *websocket.Conn
}

func open(t *testing.T, url, query string) *page {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &page{t, ws}
}

func (p *page) text() Message {
	p.t.Helper()
	typ, b, err := p.ws.Read(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	var m Message
	if typ != websocket.MessageText {
		p.t.Fatalf("%d bytes where a text message was due", len(b))
	}
	if err := json.Unmarshal(b, &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *page) binary() []byte {
	p.t.Helper()
	typ, b, err := p.ws.Read(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if typ != websocket.MessageBinary {
		p.t.Fatalf("text %s where bytes were due", b)
	}
	return b
}

func serve(t *testing.T, core *media.Core) (*Muxers, string) {
	t.Helper()
	m := New(core, nil, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mp4" {
			m.ServeMP4(w, r, "door", "main")
			return
		}
		m.ServeWS(w, r, "door", "main")
	}))
	t.Cleanup(func() {
		m.Close()
		srv.Close()
	})
	return m, srv.URL
}

func begin(t *testing.T, s *media.Stream, tracks ...av.Track) *media.Writer {
	t.Helper()
	w, err := s.Begin(tracks)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// await reports whether cond comes true before the test's own deadline.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
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

// probe is what ffprobe says of a packet.
type probe struct {
	Packets []struct {
		Stream int    `json:"stream_index"`
		PTS    string `json:"pts_time"`
		DTS    string `json:"dts_time"`
		Dur    string `json:"duration_time"`
		Flags  string `json:"flags"`
	}
	Streams []struct {
		Codec  string `json:"codec_name"`
		Width  int    `json:"width"`
		Frames string `json:"nb_read_packets"`
	}
}

func look(t *testing.T, mp4 []byte) probe {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(file, mp4, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := output(t, "ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"); len(out) > 0 {
		t.Errorf("ffmpeg: %s", out)
	}
	var p probe
	if err := json.Unmarshal(output(t, "ffprobe", "-v", "error", "-count_packets", "-show_packets", "-show_streams", "-of", "json", file), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func seconds(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// gapless checks that each packet of a stream begins where the one before ended.
func (p probe) gapless(t *testing.T, stream int, slack float64) (end float64) {
	t.Helper()
	end = -1
	for _, k := range p.Packets {
		if k.Stream != stream {
			continue
		}
		at := seconds(t, k.DTS)
		if end >= 0 && (at < end-slack || at > end+slack) {
			t.Errorf("stream %d: a packet at %.4f s, the one before ended at %.4f", stream, at, end)
		}
		end = at + seconds(t, k.Dur)
	}
	return end
}

func TestFFmpegPlaysWhatABrowserGets(t *testing.T) {
	f := newFilm(t, "3", "320x180", "0")
	core := media.New(media.Limits{})
	s := core.Stream("door", "main")
	w := begin(t, s, f.video, f.sound)
	f.play(t, w)
	_, url := serve(t, core)
	p := open(t, url, "")
	m := p.text()
	if m.Type != "init" || m.MIME != `video/mp4; codecs="avc1.4d400c,mp4a.40.2"` || m.Camera != "door" || m.Width != 320 || !m.Sound || m.Start != 0 {
		t.Fatalf("first message %+v", m)
	}
	file := p.binary()
	// The GOP that the ring has comes at once; the last picture waits for the next one.
	got := bytes.Count(p.gather(&file, 24), []byte("moof"))
	if got < 24 {
		t.Errorf("%d fragments of the last GOP", got)
	}
	// The source restarts: its time begins anew, the page's does not, and nothing is told.
	f.play(t, begin(t, s, f.video, f.sound))
	p.gather(&file, 74)
	pr := look(t, file)
	if len(pr.Streams) != 2 || pr.Streams[0].Codec != "h264" || pr.Streams[1].Codec != "aac" {
		t.Fatalf("streams %+v", pr.Streams)
	}
	if end := pr.gapless(t, 0, 0.0001); end < 3.8 {
		t.Errorf("the picture ends at %.2f s", end)
	}
	if end := pr.gapless(t, 1, 0.04); end < 3.5 {
		t.Errorf("the sound ends at %.2f s", end)
	}
}

// gather appends binary messages to file until n more fragments are there.
func (p *page) gather(file *[]byte, n int) []byte {
	p.t.Helper()
	from := len(*file)
	for bytes.Count((*file)[from:], []byte("moof")) < n {
		*file = append(*file, p.binary()...)
	}
	return (*file)[from:]
}

func TestBFrames(t *testing.T) {
	f := newFilm(t, "2", "320x180", "2")
	if !f.video.Reordered {
		t.Error("the parameter sets do not tell of B-frames")
	}
	// I B B P in the order of decoding is shown in another: the encoder's order of the raw
	// stream has no times, so they are made as it would: P two steps ahead of its Bs.
	n := 0
	for _, u := range f.units {
		if u.Track != 1 {
			continue
		}
		ahead := int64(1)
		switch {
		case u.Key:
			n = 0
		case n%3 == 1:
			ahead = 3
		default:
			ahead = 0
		}
		n++
		u.PTS = u.DTS + ahead*3600
	}
	core := media.New(media.Limits{})
	_, url := serve(t, core)
	w := begin(t, core.Stream("door", "main"), f.video, f.sound)
	f.play(t, w)
	p := open(t, url, "sound=none")
	if m := p.text(); m.Sound || strings.Contains(m.MIME, "mp4a") {
		t.Errorf("sound=none: %+v", m)
	}
	file := p.binary()
	p.gather(&file, 20)
	pr := look(t, file)
	late := 0
	for _, k := range pr.Packets {
		if seconds(t, k.PTS) > seconds(t, k.DTS)+0.1 {
			late++
		}
	}
	if late == 0 {
		t.Error("no composition offsets")
	}
}

func TestMP4OverHTTP(t *testing.T) {
	f := newFilm(t, "2", "320x180", "0")
	core := media.New(media.Limits{})
	s := core.Stream("door", "main")
	_, url := serve(t, core)
	if res, err := http.Get(url + "/mp4"); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("offline: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	w := begin(t, s, f.video, f.sound)
	f.play(t, w)
	res, err := http.Get(url + "/mp4")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") != "video/mp4" {
		t.Error(res.Header)
	}
	// New parameter sets end an MP4.
	other := f.video
	other.Width = 322
	if err := w.SetTrack(other); err != nil {
		t.Fatal(err)
	}
	sps := bytes.Clone(other.SPS)
	sps[2] ^= 0x20 // another constraint flag
	other.SPS = sps
	if err := w.SetTrack(other); err != nil {
		t.Fatal(err)
	}
	f.play(t, w)
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if pr := look(t, b); len(pr.Streams) != 2 {
		t.Errorf("%+v", pr.Streams)
	}
}

func TestOneMuxForAll(t *testing.T) {
	f := newFilm(t, "2", "320x180", "0")
	core := media.New(media.Limits{})
	s := core.Stream("door", "main")
	f.play(t, begin(t, s, f.video, f.sound))
	m, url := serve(t, core)
	var pages []*page
	var files [3][]byte
	for i := range 3 {
		p := open(t, url, "")
		p.text()
		files[i] = append(files[i], p.binary()...)
		p.gather(&files[i], 20)
		pages = append(pages, p)
	}
	if st := m.Stats(); len(st) != 1 || st[0].Viewers != 3 || s.Stats().Readers != 1 {
		t.Errorf("three pages: %+v, %d readers of the ring", st, s.Stats().Readers)
	}
	if n := min(len(files[0]), len(files[1]), len(files[2])); !bytes.Equal(files[0][:n], files[1][:n]) || !bytes.Equal(files[1][:n], files[2][:n]) {
		t.Error("the pages got different bytes")
	}
	for _, p := range pages {
		_ = p.ws.CloseNow()
	}
	await(t, "the end of the mux", func() bool { return len(m.Stats()) == 0 && s.Stats().Readers == 0 })
}

func TestOfflineAndBack(t *testing.T) {
	f := newFilm(t, "1", "320x180", "0")
	core := media.New(media.Limits{})
	s := core.Stream("door", "main")
	_, url := serve(t, core)
	p := open(t, url, "")
	if m := p.text(); m.Type != "offline" || m.Reason != "nothing has come yet" {
		t.Errorf("%+v", m)
	}
	w := begin(t, s, f.video)
	if m := p.text(); m.Type != "live" {
		t.Errorf("%+v", m)
	}
	f.video.FPS = 25
	for _, u := range f.units {
		if u.Track == 1 {
			c := *u
			if err := w.Put(&c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m := p.text(); m.Type != "init" || m.Sound {
		t.Errorf("%+v", m)
	}
	file := p.binary()
	p.gather(&file, 25) // the last picture comes too, when it was quiet for a moment
	w.End("the battery is empty")
	if m := p.text(); m.Type != "offline" || m.Reason != "the battery is empty" {
		t.Errorf("%+v", m)
	}
}

func TestStreamThatNoBrowserShows(t *testing.T) {
	core := media.New(media.Limits{})
	w := begin(t, core.Stream("door", "main"), av.MJPEGTrack(1, 640, 480, 5))
	if err := w.Put(&av.Unit{Track: 1, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, core)
	if m := open(t, url, "").text(); m.Type != "cannot" || m.Reason == "" {
		t.Errorf("%+v", m)
	}
}

func TestPageThatMisbehaves(t *testing.T) {
	core := media.New(media.Limits{})
	_, url := serve(t, core)
	for name, msg := range map[string][]byte{
		"no JSON":  []byte("hello"),
		"no type":  []byte("{}"),
		"too big":  bytes.Repeat([]byte(" "), maxControl+1),
		"too many": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, url, "")
			p.text()
			n := 1
			if msg == nil {
				msg, n = []byte(`{"type":"later"}`), 10*maxControls
			}
			for range n {
				if err := p.ws.Write(t.Context(), websocket.MessageText, msg); err != nil {
					break
				}
			}
			_, _, err := p.ws.Read(t.Context())
			if s := websocket.CloseStatus(err); s != websocket.StatusPolicyViolation && s != websocket.StatusMessageTooBig {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestForeignPageIsNotLetIn(t *testing.T) {
	_, url := serve(t, media.New(media.Limits{}))
	_, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http"), &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}}})
	if err == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("%v %v", res, err)
	}
}

func TestHubGoesDown(t *testing.T) {
	m, url := serve(t, media.New(media.Limits{}))
	p := open(t, url, "")
	p.text()
	go m.Close()
	_, _, err := p.ws.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("ended with %v", err)
	}
	m.Close()
	if _, _, err := m.watch(key{}); !errors.Is(err, ErrClosed) {
		t.Errorf("watch after Close: %v", err)
	}
}

// put writes frames of 1 kB at 25 fps in the bubble's time, a key frame a second.
func put(t *testing.T, w *media.Writer, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := w.Put(&av.Unit{Track: 1, Key: i%25 == 0, PTS: int64(i) * 3600, DTS: int64(i) * 3600, Data: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Millisecond)
	}
}

func TestSlowViewerSkipsAndDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		m := New(core, nil, nil)
		defer m.Close()
		w := begin(t, core.Stream("door", "main"), still(t))
		put(t, w, 0, 2)
		slow, leave, _ := m.watch(key{camera: "door", stream: "main", sound: av.AAC})
		defer leave()
		fast, leave2, _ := m.watch(key{camera: "door", stream: "main", sound: av.AAC})
		defer leave2()
		synctest.Wait()
		next := func(v *viewer) piece {
			t.Helper()
			p, err := v.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if p := next(slow); p.gen == nil {
			t.Fatalf("%+v", p)
		}
		next(fast)
		for i := range 25 * 10 {
			put(t, w, i+2, 1)
			synctest.Wait()
			if p := next(fast); bytes.Count(p.message(), []byte("moof")) != 1 {
				t.Fatalf("frame %d: %d bytes for who keeps up", i, len(p.message()))
			}
		}
		p := next(slow)
		if !p.jump || p.gen != nil || p.at < 8*time.Second || slow.skips != 1 || fast.skips != 0 {
			t.Errorf("the slow viewer: jump %v at %v, %d skips", p.jump, p.at, slow.skips)
		}
		slow.setPaused(true)
		put(t, w, 252, 50)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p, err := slow.next(ctx); err == nil {
			t.Errorf("a paused viewer gets %d bytes", len(p.message()))
		}
		slow.setPaused(false)
		if p := next(slow); !p.jump {
			t.Error("after a pause the pictures go on without a word")
		}
	})
}

func TestSoundThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		m := New(core, nil, nil)
		defer m.Close()
		w := begin(t, core.Stream("door", "main"), still(t), aacTrack(t))
		v, leave, _ := m.watch(key{camera: "door", stream: "main", sound: av.AAC})
		defer leave()
		got := make(chan *generation, 8) // more than there are
		go func() {
			for {
				p, err := v.next(context.Background())
				if err != nil {
					close(got)
					return
				}
				if p.gen != nil {
					got <- p.gen
				}
			}
		}()
		put(t, w, 0, 20)
		synctest.Wait()
		if g := <-got; g.sound {
			t.Error("sound is promised that never came")
		}
		// Then it comes, and from the next key frame on there is sound.
		talk := func(from, n int) {
			t.Helper()
			for i := from; i < from+n; i++ {
				dts := int64(i) * 1280
				if err := w.Put(&av.Unit{Track: 2, PTS: dts, DTS: dts, Data: []byte{1, 2, 3}}); err != nil {
					t.Fatal(err)
				}
				put(t, w, i, 1)
			}
		}
		talk(20, 60)
		synctest.Wait()
		if g := <-got; !g.sound {
			t.Error("the sound was not taken in")
		}
		// And when it is away for long, it is taken out again.
		put(t, w, 80, 150)
		synctest.Wait()
		if g := <-got; g.sound {
			t.Error("the sound is still promised")
		}
		m.Close()
		if g, ok := <-got; ok {
			t.Errorf("one more generation: %+v", g)
		}
	})
}

func TestStallIsShownAsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		m := New(core, nil, nil)
		defer m.Close()
		w := begin(t, core.Stream("door", "main"), still(t))
		put(t, w, 0, 50)
		v, leave, _ := m.watch(key{camera: "door", stream: "main", sound: av.AAC})
		defer leave()
		for range 100 {
			p, err := v.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p.status != nil {
				if p.status.live || p.status.reason != "no picture for 5 s" {
					t.Errorf("%+v", p.status)
				}
				return
			}
		}
		t.Error("never told")
	})
}

func TestFeedHoldsToItsBytes(t *testing.T) {
	f := newFeed()
	g := &generation{id: 1}
	block := make([]byte, 1<<20)
	v := &viewer{f: f}
	for i := range 100 {
		f.add(g, i == 0, 0, len(block), func(b []byte) []byte { return append(b, block...) })
		n := 0
		for _, c := range f.chunks {
			n += len(c.buf)
		}
		if n > feedBytes+chunkBytes {
			t.Fatalf("%d bytes kept", n)
		}
	}
	if f.newestKey() != nil {
		t.Error("the key frame's chunk should have gone")
	}
	if _, ok, _ := v.take(); ok {
		t.Error("a viewer began without a key frame")
	}
	f.add(g, true, 0, len(block), func(b []byte) []byte { return append(b, block...) })
	if p, ok, _ := v.take(); !ok || p.gen != g {
		t.Error("no begin at the key frame")
	}
}

func TestConnectionWithoutProgressIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		c := &progressConn{Conn: a}
		go func() { // takes 32 KiB in 9 s, three times, and then nothing
			buf := make([]byte, writePiece)
			for range 3 {
				time.Sleep(9 * time.Second)
				if _, err := io.ReadFull(b, buf); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		n, err := c.Write(make([]byte, 1<<20))
		if n != 3*writePiece || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 37*time.Second {
			t.Errorf("%d bytes in %v: %v", n, time.Since(began), err)
		}
	})
}

func FuzzControl(f *testing.F) {
	for _, s := range []string{`{"type":"pause"}`, `{"type":"resume"}`, `{}`, `[]`, `{"type":1}`, "\xff", `{"type":"x","more":{"a":[1]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseControl(b)
		if err == nil && (c.Type == "" || len(b) > maxControl) {
			t.Errorf("%q: accepted", b)
		}
	})
}

// BenchmarkViewer is what one more viewer costs for a frame of 20 kB: cursor, header and
// write, against the write of the same bytes alone.
func BenchmarkViewer(b *testing.B) {
	frame := make([]byte, 20_000)
	for _, c := range []struct {
		name   string
		viewer bool
	}{{"raw", false}, {"ours", true}} {
		b.Run(c.name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := ln.Accept()
				if err == nil {
					_, _ = io.Copy(io.Discard, bufio.NewReaderSize(conn, 64<<10))
				}
			}()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			f := newFeed()
			v := &viewer{f: f}
			g := &generation{id: 1}
			w := &progressConn{Conn: conn}
			b.SetBytes(int64(len(frame)))
			for i := 0; b.Loop(); i++ {
				if !c.viewer {
					_, err = conn.Write(frame)
				} else {
					f.add(g, i%50 == 0, 0, len(frame), func(b []byte) []byte { return append(b, frame...) })
					var p piece
					if p, err = v.next(b.Context()); err == nil {
						_, err = w.Write(p.message())
					}
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			conn.Close()
			<-done
		})
	}
}
