package camera

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// house is a hub with one camera, whose media travel over a real socket.
type house struct {
	t    testing.TB
	path string
	ctx  context.Context
	work sync.WaitGroup

	mu       sync.Mutex
	media    sdk.MediaDescription
	opened   []sdk.MediaRequest
	tokens   map[string]func(net.Conn)
	acts     []sdk.Act
	actErr   error
	openErr  map[string]error
	how      string
	keys     int
	talks    []string
	talkErr  error
	takes    av.Codec // empty: what is offered
	heard    int
	readers  int
	snapshot func(sdk.SnapshotRequest) (sdk.Image, error)
}

func newHouse(t testing.TB) *house {
	h := &house{t: t, path: filepath.Join(t.TempDir(), "m"), tokens: map[string]func(net.Conn){}, how: "copy"}
	h.media = sdk.MediaDescription{Streams: []sdk.StreamDescription{
		{Name: "main", Live: true, Tracks: []sdk.TrackDescription{{Track: h264(t, 1920, 1080), Bitrate: 2e6}}},
		{Name: "sub", Live: true, Tracks: []sdk.TrackDescription{{Track: h264(t, 640, 360), Bitrate: 3e5}}},
	}}
	l, err := net.Listen("unix", h.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.ctx = ctx
	h.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.work.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		h.work.Wait()
	})
	return h
}

func h264(t testing.TB, w, height int) av.Track {
	sps, _ := hex.DecodeString("674d400cd901419f9f011000000300100000030320f142a480")
	pps, _ := hex.DecodeString("68ebc3cb20")
	tr, err := av.H264Track(1, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	tr.Width, tr.Height, tr.FPS, tr.Generation, tr.Reordered = w, height, 25, 1, false
	return tr
}

func (h *house) serve(c net.Conn) {
	defer c.Close()
	stop := context.AfterFunc(h.ctx, func() { _ = c.Close() })
	defer stop()
	token, err := av.ReadHello(c)
	if err != nil {
		return
	}
	h.mu.Lock()
	f := h.tokens[token]
	delete(h.tokens, token)
	h.mu.Unlock()
	if f != nil {
		f(c)
	}
}

func (h *house) token(f func(net.Conn)) string {
	token := strconv.Itoa(len(h.opened)*1000 + len(h.tokens) + len(h.talks)*100000)
	h.tokens[token] = f
	return token
}

func (h *house) DescribeMedia(context.Context, string) (sdk.MediaDescription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.media, nil
}

func (h *house) OpenMedia(ctx context.Context, m sdk.MediaRequest) (*av.Reader, error) {
	h.mu.Lock()
	h.opened = append(h.opened, m)
	if err := h.openErr[m.Stream]; err != nil {
		h.mu.Unlock()
		return nil, err
	}
	i := slices.IndexFunc(h.media.Streams, func(s sdk.StreamDescription) bool { return s.Name == m.Stream })
	track := h.media.Streams[i].Tracks[0].Track
	if h.how != copied {
		track.Codec, track.Reordered = av.H264, false
	}
	answer := av.Answer{Direction: av.Read, Rendition: h.how, Tracks: []av.Track{track}}
	token := h.token(func(c net.Conn) {
		if av.WriteAnswer(c, av.StatusOK, answer) == nil {
			h.send(c, track)
		}
	})
	h.mu.Unlock()
	return av.Open(ctx, h.path, token)
}

// send shows a picture each 5 ms of which each tenth is a key, until the reader goes.
func (h *house) send(c net.Conn, track av.Track) {
	h.count(&h.readers, 1)
	defer h.count(&h.readers, -1)
	w := av.NewFrameWriter(c)
	defer w.Close()
	if w.Track(track) != nil {
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := int64(0); ; i++ {
		nal := append([]byte{0x41}, make([]byte, 200)...)
		if i%10 == 0 {
			nal[0] = 0x65
		}
		w.Unit(&av.Unit{Track: 1, Key: i%10 == 0, PTS: i * 3600, DTS: i * 3600, Wall: time.Now(), Generation: 1, Data: av.JoinNALs([][]byte{nal})})
		if w.Flush(0) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-w.Done():
			return
		case <-h.ctx.Done():
			return
		}
	}
}

func (h *house) count(of *int, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*of += n
}

func (h *house) Snapshot(_ context.Context, r sdk.SnapshotRequest) (sdk.Image, error) {
	h.mu.Lock()
	f := h.snapshot
	h.mu.Unlock()
	if f == nil {
		return sdk.Image{}, errors.New("no picture")
	}
	return f(r)
}

func (h *house) RequestKeyFrame(context.Context, string, string) error {
	h.count(&h.keys, 1)
	return nil
}

func (h *house) OpenTalk(ctx context.Context, camera, talker string, track av.Track) (*av.Publisher, av.Track, error) {
	h.mu.Lock()
	if h.talkErr != nil {
		defer h.mu.Unlock()
		return nil, av.Track{}, h.talkErr
	}
	h.talks = append(h.talks, talker)
	token := h.token(func(c net.Conn) {
		if av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Publish}) != nil {
			return
		}
		r := av.NewFrameReader(c, c)
		for {
			f, err := r.Next()
			if err != nil || f.End {
				return
			}
			if f.Unit != nil {
				h.count(&h.heard, 1)
			}
		}
	})
	h.mu.Unlock()
	if h.takes != "" {
		track.Codec = h.takes
	}
	p, err := av.NewPublisher(ctx, h.path, token, track)
	return p, track, err
}

func (h *house) Act(_ context.Context, device string, a sdk.Act) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if device != "porch" {
		return sdk.ErrNotFound
	}
	if h.actErr != nil {
		return h.actErr
	}
	h.acts = append(h.acts, a)
	return nil
}

func (h *house) streams() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, m := range h.opened {
		out = append(out, m.Stream)
	}
	return out
}

// drawer keeps values as JSON, as the store does.
type drawer struct {
	mu     sync.Mutex
	values map[string][]byte
	err    error
}

func (d *drawer) Value(key string, v any) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.values[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

func (d *drawer) SetValue(key string, v any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	b, err := json.Marshal(v)
	if d.values == nil {
		d.values = map[string][]byte{}
	}
	d.values[key] = b
	return err
}

// door is a doorbell with all there is.
func door(t testing.TB, h *house, change func(*Options)) *Camera {
	o := Options{Camera: "porch", Name: "Front door", Doorbell: true, Talk: true, Motion: true, Hub: h, Keep: &drawer{},
		NightVision: true, Indicator: true, Media: h.media}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// phone is a controller's connection, with its own ports for packets.
type phone struct {
	t            testing.TB
	peer         *server.Peer
	hang         func() // closes the connection
	video, audio *net.UDPConn
	session      message.Session
	crypto       message.Crypto
}

func newPhone(t testing.TB, id uint64, change func(*server.PeerInfo)) *phone {
	done := make(chan struct{})
	here := netip.MustParseAddrPort("127.0.0.1:5000")
	info := server.PeerInfo{ID: id, Controller: "phone " + strconv.FormatUint(id, 10), Admin: true, Local: here, Remote: here, Done: done}
	if change != nil {
		change(&info)
	}
	p := &phone{t: t, peer: server.NewPeer(info), hang: sync.OnceFunc(func() { close(done) })}
	for _, c := range []**net.UDPConn{&p.video, &p.audio} {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		*c = u
		t.Cleanup(func() { _ = u.Close() })
	}
	copy(p.session[:], "session of phone"+strconv.FormatUint(id, 10))
	p.session[0] = byte(id)
	copy(p.crypto.Key[:], "0123456789abcdef")
	copy(p.crypto.Salt[:], "0123456789abcd")
	t.Cleanup(p.hang)
	return p
}

func port(c *net.UDPConn) uint16 { return uint16(c.LocalAddr().(*net.UDPAddr).Port) }

func (p *phone) request() *http.Request {
	r, err := http.NewRequestWithContext(server.WithPeer(context.Background(), p.peer), http.MethodPut, "/characteristics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *phone) write(c *characteristic.C, v any) int {
	_, status := c.SetValueRequestFunc(v, p.request())
	return status
}

func (p *phone) read(c *characteristic.C) any {
	v, _ := c.ValueRequestFunc(p.request())
	return v
}

func (p *phone) keys() []byte {
	return new(tlv.Writer).Byte(1, 0).Bytes(2, p.crypto.Key[:]).Bytes(3, p.crypto.Salt[:]).Out()
}

func (p *phone) endpoints() string {
	addr := new(tlv.Writer).Byte(1, 0).String(2, "127.0.0.1").Uint(3, uint64(port(p.video)), 2).Uint(4, uint64(port(p.audio)), 2)
	return encoded(new(tlv.Writer).Bytes(1, p.session[:]).Bytes(3, addr.Out()).Bytes(4, p.keys()).Bytes(5, p.keys()))
}

func encoded(w *tlv.Writer) string { return base64.StdEncoding.EncodeToString(w.Out()) }

// wanted is what a phone selects.
type wanted struct {
	width, height, fps, kbps int
	silent                   bool
}

func (p *phone) selects(c message.Command, w wanted) string {
	out := new(tlv.Writer).Bytes(1, new(tlv.Writer).Bytes(1, p.session[:]).Byte(2, byte(c)).Out())
	if c != message.Start && c != message.Reconfigure {
		return encoded(out)
	}
	var video tlv.Writer
	if c == message.Start {
		video.Byte(1, 0).Bytes(2, new(tlv.Writer).Byte(1, 2).Byte(2, 2).Byte(3, 0).Out())
	}
	video.Bytes(3, new(tlv.Writer).Uint(1, uint64(w.width), 2).Uint(2, uint64(w.height), 2).Byte(3, byte(w.fps)).Out())
	rtp := new(tlv.Writer).Byte(1, 99).Uint(2, 4711, 4).Uint(3, uint64(w.kbps), 2).Uint(4, uint64(math.Float32bits(0.5)), 4)
	out.Bytes(2, video.Bytes(4, rtp.Out()).Out())
	if c == message.Start && !w.silent {
		form := new(tlv.Writer).Byte(1, 1).Byte(2, 0).Byte(3, 2).Byte(4, 20)
		rtp := new(tlv.Writer).Byte(1, 110).Uint(2, 4712, 4).Uint(3, 24, 2).Uint(4, uint64(math.Float32bits(5)), 4).Byte(6, 13)
		out.Bytes(3, new(tlv.Writer).Byte(1, 3).Bytes(2, form.Out()).Bytes(3, rtp.Out()).Byte(4, 0).Out())
	}
	return encoded(out)
}

func full() wanted { return wanted{1920, 1080, 30, 2000, false} }

// answer is what a phone reads of 118.
type answer struct {
	session      []byte
	status       message.Outcome
	video, audio uint16
	host         string
}

func (p *phone) prepared(s *stream) answer {
	text, _ := p.read(s.service.C(characteristic.TypeSetupEndpoints)).(string)
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := tlv.Parse(b)
	if err != nil {
		p.t.Fatal(err)
	}
	var a answer
	a.session, _ = m.Bytes(1)
	status, ok := m.Byte(2)
	if !ok {
		p.t.Fatal("an answer without a status")
	}
	a.status = message.Outcome(status)
	if in, ok := m.Bytes(3); ok {
		addr, err := tlv.Parse(in)
		if err != nil {
			p.t.Fatal(err)
		}
		host, _ := addr.Bytes(2)
		v, _ := addr.Bytes(3)
		s, _ := addr.Bytes(4)
		a.host, a.video, a.audio = string(host), uint16(v[0])|uint16(v[1])<<8, uint16(s[0])|uint16(s[1])<<8
	}
	return a
}

// prepare and start are the steps of a stream that goes well.
func (p *phone) prepare(s *stream) answer {
	p.t.Helper()
	if status := p.write(s.service.C(characteristic.TypeSetupEndpoints), p.endpoints()); status != 0 {
		p.t.Fatalf("endpoints: %d", status)
	}
	a := p.prepared(s)
	if a.status != message.Prepared || !bytes.Equal(a.session, p.session[:]) || a.video == 0 || a.host != "127.0.0.1" {
		p.t.Fatalf("prepared %+v", a)
	}
	return a
}

func (p *phone) command(s *stream, c message.Command, w wanted) int {
	return p.write(s.service.C(characteristic.TypeSelectedRTPStreamConfiguration), p.selects(c, w))
}

func (p *phone) watch(s *stream, w wanted) answer {
	p.t.Helper()
	a := p.prepare(s)
	if status := p.command(s, message.Start, w); status != 0 {
		p.t.Fatalf("start: %d", status)
	}
	p.sees()
	return a
}

// sees waits for a packet of the picture.
func (p *phone) sees() {
	p.t.Helper()
	b := make([]byte, 2000)
	_ = p.video.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		n, err := p.video.Read(b)
		if err != nil {
			p.t.Fatalf("no picture: %v", err)
		}
		if n > 12 && b[1]&0x7f == 99 {
			return
		}
	}
}

// free says whether nobody has this port.
func free(port uint16) bool {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// await fails where what does not become true.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// statusOf is 120 as it is held.
func statusOf(s *stream) message.Status {
	b := s.status.Value()
	if len(b) != 3 {
		return 99
	}
	return message.Status(b[2])
}

func jpegOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
