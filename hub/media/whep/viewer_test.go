package whep

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// house is a server on loopback, with a page's way to it.
type house struct {
	*Server
	core *media.Core
	url  string
	end  func()
}

func newHouse(t testing.TB, o Options, change ...func(*Server)) *house {
	t.Helper()
	if o.Core == nil {
		o.Core = media.New(media.Limits{})
	}
	o.Settings.Loopback = true
	s := New(o)
	for _, c := range change {
		c(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	h := &house{Server: s, core: o.Core}
	mux := http.NewServeMux()
	who := func(r *http.Request) Viewer {
		key := r.Header.Get("Key")
		if key == "" {
			key = "anna"
		}
		return Viewer{Name: "Anna", Key: key, MayTalk: r.Header.Get("Silent") == ""}
	}
	mux.HandleFunc("POST /{camera}/whep", func(w http.ResponseWriter, r *http.Request) {
		stream := r.URL.Query().Get("stream")
		if stream == "" {
			stream = "main"
		}
		s.ServeOffer(w, r, r.PathValue("camera"), stream, who(r))
	})
	mux.HandleFunc("/{camera}/whep/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.ServeSession(w, r, r.PathValue("id"), who(r))
	})
	srv := httptest.NewServer(mux)
	h.url = srv.URL
	h.end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		srv.Close()
	})
	t.Cleanup(h.end)
	await(t, "the ports", func() bool { return len(s.Addrs()) > 0 })
	return h
}

// await reports whether cond comes true before the test's own deadline.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	give := time.NewTimer(20 * time.Second)
	defer give.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-give.C:
			t.Fatalf("never came: %s", what)
		}
	}
}

// frame is a picture that a viewer has put together.
type frame struct {
	ts   uint32
	data []byte // annex B
	at   time.Time
}

// viewer is a browser's end, made of pion.
type viewer struct {
	t    *testing.T
	pc   *webrtc.PeerConnection
	loc  string
	etag string
	how  string

	mu     sync.Mutex
	ssrc   uint32
	frames []frame
	sounds []*rtp.Packet
	mime   map[webrtc.RTPCodecType]string
	gaps   int
	lose   func(*rtp.Packet) bool // true: as if it had not come
	asks   bool                   // asks again for what is missing
	rtcps  []rtcp.Packet
	ours   *webrtc.TrackLocalStaticRTP
}

// viewing is how a viewer watches.
type viewing struct {
	talk   bool
	tcp    bool
	silent bool
	lose   func(*rtp.Packet) bool
	asks   bool
	query  string
}

func (h *house) watch(t *testing.T, camera string, o viewing) *viewer {
	t.Helper()
	v := &viewer{t: t, mime: map[webrtc.RTPCodecType]string{}, lose: o.lose, asks: o.asks}
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.DisableSRTPReplayProtection(true) // what a test loses has come for SRTP
	e.SetICETimeouts(2*time.Second, 4*time.Second, 500*time.Millisecond)
	if o.tcp {
		e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithSettingEngine(e), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	v.pc = pc
	t.Cleanup(func() { _ = pc.Close() })
	pc.OnTrack(v.track)
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	if o.talk {
		v.ours, _ = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "mic", "mic")
		_, err = pc.AddTransceiverFromTrack(v.ours)
	} else {
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	}
	if err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	head := map[string]string{"Content-Type": typeSDP}
	if o.silent {
		head["Silent"] = "yes"
	}
	resp, body := h.ask(t, http.MethodPost, "/"+camera+"/whep"+o.query, offer.SDP, head)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	v.loc, v.etag, v.how = resp.Header.Get("Location"), resp.Header.Get("ETag"), resp.Header.Get(How)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return v
}

func (h *house) ask(t *testing.T, method, path, body string, head map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range head {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func (v *viewer) track(tr *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	v.mu.Lock()
	v.mime[tr.Kind()] = tr.Codec().MimeType
	v.mu.Unlock()
	go func() {
		for {
			ps, _, err := r.ReadRTCP()
			if err != nil {
				return
			}
			v.mu.Lock()
			v.rtcps = append(v.rtcps, ps...)
			v.mu.Unlock()
		}
	}()
	if tr.Kind() == webrtc.RTPCodecTypeAudio {
		for {
			p, _, err := tr.ReadRTP()
			if err != nil {
				return
			}
			v.mu.Lock()
			v.sounds = append(v.sounds, p)
			v.mu.Unlock()
		}
	}
	v.mu.Lock()
	v.ssrc = uint32(tr.SSRC())
	v.mu.Unlock()
	v.pictures(tr)
}

// pictures puts packets in order, asking for what is missing, and makes pictures of them.
func (v *viewer) pictures(tr *webrtc.TrackRemote) {
	var depack rtp.Depacketizer = &codecs.H264Packet{}
	if tr.Codec().MimeType == webrtc.MimeTypeH265 {
		depack = raw{}
	}
	wait := map[uint16]*rtp.Packet{}
	var next uint16
	begun := false
	var now frame
	for {
		p, _, err := tr.ReadRTP()
		if err != nil {
			return
		}
		v.mu.Lock()
		lose := v.lose
		v.mu.Unlock()
		if lose != nil && lose(p) {
			continue
		}
		if !begun {
			next, begun = p.SequenceNumber, true
		}
		if int16(p.SequenceNumber-next) < 0 {
			continue
		}
		wait[p.SequenceNumber] = p
		switch {
		case p.SequenceNumber == next:
		case v.asks:
			var missing []uint16
			for s := next; s != p.SequenceNumber; s++ {
				if wait[s] == nil {
					missing = append(missing, s)
				}
			}
			_ = v.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: uint32(tr.SSRC()), Nacks: rtcp.NackPairsFromSequenceNumbers(missing)}})
		default:
			v.mu.Lock()
			v.gaps += int(p.SequenceNumber - next)
			v.mu.Unlock()
			next = p.SequenceNumber
		}
		for q := wait[next]; q != nil; q = wait[next] {
			delete(wait, next)
			next++
			b, err := depack.Unmarshal(q.Payload)
			if err != nil {
				v.t.Errorf("payload: %v", err)
			}
			now.ts = q.Timestamp
			now.data = append(now.data, b...)
			if q.Marker {
				now.at = time.Now()
				v.mu.Lock()
				v.frames = append(v.frames, now)
				v.mu.Unlock()
				now = frame{}
			}
		}
	}
}

// raw leaves payloads as they are.
type raw struct{}

func (raw) Unmarshal(b []byte) ([]byte, error)         { return b, nil }
func (raw) IsPartitionHead([]byte) bool                { return true }
func (raw) IsPartitionTail(marker bool, _ []byte) bool { return marker }

func (v *viewer) seen() []frame {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.frames[:len(v.frames):len(v.frames)]
}

func (v *viewer) heard() []*rtp.Packet {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sounds[:len(v.sounds):len(v.sounds)]
}

// door writes a stream of pictures whose bytes can be told apart.
type door struct {
	t     testing.TB
	w     *media.Writer
	n     int
	video av.Track
	sound av.Track
	size  int
}

const spsMain = "674d400cd901419f9f011000000300100000030320f142a480"

func track264(t testing.TB) av.Track {
	t.Helper()
	sps, _ := hex.DecodeString(spsMain)
	pps, _ := hex.DecodeString("68ebc3cb20")
	tr, err := av.H264Track(1, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func newDoor(t testing.TB, core *media.Core, camera, stream string, tracks ...av.Track) *door {
	t.Helper()
	w, err := core.Stream(camera, stream).Begin(tracks)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, w: w, size: 3000}
	for _, tr := range tracks {
		if tr.Kind == av.Video {
			d.video = tr
		} else {
			d.sound = tr
		}
	}
	return d
}

// nal of picture n: everyone can tell which it is.
func nal(codec av.Codec, n, size int, key bool) []byte {
	kind := []byte{0x41}
	switch {
	case codec == av.H265 && key:
		kind = []byte{19 << 1, 1}
	case codec == av.H265:
		kind = []byte{1 << 1, 1}
	case key:
		kind = []byte{0x65}
	}
	body := fmt.Appendf(nil, "picture %06d ", n)
	return append(kind, bytes.Repeat(body, size/len(body)+1)[:size]...)
}

// picture n as an access unit, a key frame each 25.
func (d *door) picture(n int) []byte {
	size := d.size
	if n%25 == 0 {
		size *= 5
	}
	return nal(d.video.Codec, n, size, n%25 == 0)
}

// show writes n pictures of 40 ms, with their sound.
func (d *door) show(n int) {
	d.t.Helper()
	for range n {
		if d.video.Codec != "" {
			d.put(&av.Unit{Track: d.video.ID, Key: d.n%25 == 0, PTS: int64(d.n) * 3600, DTS: int64(d.n) * 3600,
				Data: av.JoinNALs([][]byte{d.picture(d.n)})})
		}
		if d.sound.Codec != "" {
			for i := range 2 {
				pts := d.sound.Ticks(time.Duration(2*d.n+i) * 20 * time.Millisecond)
				d.put(&av.Unit{Track: d.sound.ID, PTS: pts, DTS: pts, Data: fmt.Appendf(nil, "sound %06d", 2*d.n+i)})
			}
		}
		d.n++
	}
}

func (d *door) put(u *av.Unit) {
	if err := d.w.Put(u); err != nil {
		d.t.Error(err)
	}
}
