package whep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
	"github.com/porchlight-hub/porchlight/hub/media/whep/ports"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestFromTheKeyFrame: a viewer has the pictures of the ring from its newest key frame on
// at once, whole and in order, with the parameter sets, and what comes after with true times.
func TestFromTheKeyFrame(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t), av.OpusTrack(2, 1))
	d.show(25 + 10)
	v := h.watch(t, "door", viewing{})
	if v.how != media.Copy {
		t.Errorf("rendition %q", v.how)
	}
	await(t, "the past", func() bool { return len(v.seen()) == 10 })
	d.show(5)
	await(t, "the present", func() bool { return len(v.seen()) == 15 })
	await(t, "sound", func() bool { return len(v.heard()) >= 10 })
	frames := v.seen()
	if !bytes.Contains(frames[0].data, d.video.SPS) || !bytes.Contains(frames[0].data, d.video.PPS) {
		t.Error("no parameter sets in front")
	}
	for i, f := range frames {
		if !bytes.HasSuffix(f.data, d.picture(25+i)) {
			t.Errorf("picture %d is not %d", i, 25+i)
		}
		if i > 0 && int32(f.ts-frames[i-1].ts) <= 0 {
			t.Errorf("picture %d: time goes back", i)
		}
		if i >= 10 && f.ts-frames[i-1].ts != 3600 {
			t.Errorf("picture %d: %d ticks after the one before", i, f.ts-frames[i-1].ts)
		}
	}
	v.mu.Lock()
	mime := v.mime
	v.mu.Unlock()
	if mime[webrtc.RTPCodecTypeVideo] != webrtc.MimeTypeH264 || mime[webrtc.RTPCodecTypeAudio] != webrtc.MimeTypeOpus {
		t.Error(mime)
	}
	st := h.Stats()
	if len(st) != 1 || st[0].Transport != "udp" || st[0].First == 0 || st[0].Rendition != media.Copy {
		t.Errorf("%+v", st)
	}
	resp, _ := h.ask(t, http.MethodDelete, v.loc, "", nil)
	if resp.StatusCode != http.StatusOK || len(h.Stats()) != 0 {
		t.Errorf("delete: %d", resp.StatusCode)
	}
}

// TestLossIsRepeated: what is lost on the way is asked for and comes again from the packets
// that were made for all, so every picture is whole.
func TestLossIsRepeated(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(26)
	n, before := 0, map[uint16]bool{}
	lose := func(p *rtp.Packet) bool {
		again := before[p.SequenceNumber]
		before[p.SequenceNumber] = true
		n++
		return n%20 == 7 && !again
	}
	v := h.watch(t, "door", viewing{lose: lose, asks: true})
	await(t, "the first picture", func() bool { return len(v.seen()) > 0 })
	for i := range 60 {
		d.show(1)
		// A packet lost at the end of a picture is missed when the next one comes.
		await(t, "a picture", func() bool { return len(v.seen()) >= 1+i })
	}
	d.show(2)
	await(t, "all pictures", func() bool { return len(v.seen()) >= 61 })
	for i, f := range v.seen()[:61] {
		if !bytes.HasSuffix(f.data, d.picture(25+i)) {
			t.Errorf("picture %d is not whole", i)
		}
	}
	if st := h.Stats()[0]; st.Repeated == 0 || st.Asked < st.Repeated {
		t.Errorf("%+v", st)
	}
}

// TestKeyFrameOnRequest: who asks for a key frame has the ring's newest at once, with all
// that followed it, and not more often than twice a second.
func TestKeyFrameOnRequest(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(30)
	v := h.watch(t, "door", viewing{})
	await(t, "the past", func() bool { return len(v.seen()) == 5 })
	v.mu.Lock()
	ssrc := v.ssrc
	v.mu.Unlock()
	for range 3 {
		if err := v.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "three requests", func() bool { return h.Stats()[0].KeyAsked == 3 })
	await(t, "the past again", func() bool { return len(v.seen()) == 10 })
	d.show(1)
	await(t, "the present", func() bool { return len(v.seen()) == 11 })
	frames := v.seen()
	for i, n := range []int{25, 26, 27, 28, 29, 25, 26, 27, 28, 29, 30} {
		if !bytes.HasSuffix(frames[i].data, d.picture(n)) {
			t.Errorf("picture %d is not %d", i, n)
		}
		if i > 0 && int32(frames[i].ts-frames[i-1].ts) <= 0 {
			t.Errorf("picture %d: time goes back", i)
		}
	}
	if st := h.Stats()[0]; st.Rewound != 1 {
		t.Errorf("%+v", st)
	}
}

// TestTCP: a browser that has no UDP gets the same by TCP.
func TestTCP(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t), av.PCMTrack(2, av.PCMU, 8000, 1))
	d.show(40)
	v := h.watch(t, "door", viewing{tcp: true})
	await(t, "the past", func() bool { return len(v.seen()) == 15 })
	d.show(5)
	await(t, "the present", func() bool { return len(v.seen()) == 20 })
	await(t, "sound", func() bool { return len(v.heard()) >= 10 })
	v.mu.Lock()
	mime := v.mime[webrtc.RTPCodecTypeAudio]
	v.mu.Unlock()
	if st := h.Stats()[0]; st.Transport != "tcp" || st.Sound != av.PCMU || mime != webrtc.MimeTypePCMU {
		t.Errorf("%s %+v", mime, st)
	}
}

// TestH265: to a browser that takes it, as it is.
func TestH265(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", av.Track{ID: 1, Kind: av.Video, Codec: av.H265, ClockRate: 90000,
		VPS: []byte{32 << 1, 1, 3}, SPS: []byte{33 << 1, 1, 4}, PPS: []byte{34 << 1, 1, 5}})
	d.show(30)
	v := h.watch(t, "door", viewing{})
	await(t, "the past", func() bool { return len(v.seen()) == 5 })
	if st := h.Stats()[0]; st.Video != av.H265 || st.Rendition != media.Copy {
		t.Errorf("%+v", st)
	}
}

// TestSpeech: what the page says comes in order to who listens, and to nobody else.
func TestSpeech(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	v := h.watch(t, "door", viewing{talk: true})
	id := path.Base(v.loc)
	if _, _, err := h.Speech(id, "eve", nil); err == nil {
		t.Fatal("somebody else listens")
	}
	got := make(chan *av.Unit, 100) // more than are sent
	track, stop, err := h.Speech(id, "anna", func(u *av.Unit) error { got <- u; return nil })
	if err != nil || track.Codec != av.Opus {
		t.Fatal(track, err)
	}
	await(t, "the connection", func() bool { return v.pc.ConnectionState() == webrtc.PeerConnectionStateConnected })
	for i, seq := range []uint16{0, 1, 3, 2, 4, 6, 7, 5, 8} {
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 65534 + seq, Timestamp: uint32(seq) * 960}, Payload: []byte{byte(seq)}}
		if err := v.ours.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // what comes before the first is lost to who has only begun to listen
			<-got
		}
	}
	for i := range 8 {
		u := <-got
		if u.Data[0] != byte(i+1) || u.PTS != int64(i+1)*960 {
			t.Fatalf("unit %d: %d at %d", i, u.Data[0], u.PTS)
		}
	}
	if !h.Stats()[0].Speaking {
		t.Error("nobody listens")
	}
	stop()
	_ = v.ours.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 9}, Payload: []byte{9}})
	if h.Stats()[0].Speaking || len(got) > 0 {
		t.Error("somebody still listens")
	}
}

// TestSilentViewer: the page of who may not talk is not heard.
func TestSilentViewer(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t), av.OpusTrack(2, 1)).show(1)
	v := h.watch(t, "door", viewing{talk: true, silent: true})
	_, _, err := h.Speech(path.Base(v.loc), "anna", nil)
	var coded interface{ Code() string }
	if !errors.As(err, &coded) || coded.Code() != CodeSpeech {
		t.Fatal(err)
	}
}

// TestSessionRoute: PATCH and DELETE as the draft has them.
func TestSessionRoute(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(30)
	v := h.watch(t, "door", viewing{})
	await(t, "the past", func() bool { return len(v.seen()) == 5 })
	ufrag, pwd := offer.Credentials(v.pc.LocalDescription().SDP)
	same := "a=ice-ufrag:" + ufrag + "\r\na=ice-pwd:" + pwd + "\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 0b8f1bd3.local 5000 typ host\r\n"
	other := "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
	for _, c := range []struct {
		name, method, body, typ, match, key string
		want                                int
	}{
		{"another viewer", "PATCH", same, typeFrag, v.etag, "eve", 404},
		{"another viewer", "DELETE", "", "", "", "eve", 404},
		{"candidates", "PATCH", same, typeFrag, v.etag, "", 204},
		{"no condition", "PATCH", same, typeFrag, "", "", 428},
		{"an old tag", "PATCH", same, typeFrag, `"old"`, "", 412},
		{"a restart by tag", "PATCH", other, typeFrag, v.etag, "", 412},
		{"no fragment", "PATCH", "hello", typeFrag, "*", "", 400},
		{"another type", "PATCH", same, "text/plain", "*", "", 415},
		{"too long", "PATCH", strings.Repeat("a=x\r\n", 20000), typeFrag, "*", "", 413},
		{"another method", "PUT", "", "", "", "", 405},
	} {
		resp, body := h.ask(t, c.method, v.loc, c.body, map[string]string{"Content-Type": c.typ, "If-Match": c.match, "Key": c.key})
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
	}
	d.show(1)
	await(t, "one more", func() bool { return len(v.seen()) == 6 })
	done := h.Done(path.Base(v.loc))
	h.End(path.Base(v.loc), "the login has ended")
	<-done
	if resp, _ := h.ask(t, "DELETE", v.loc, "", nil); resp.StatusCode != 404 {
		t.Errorf("after the end: %d", resp.StatusCode)
	}
	<-h.Done("nobody")
}

// TestOffers that are none.
func TestOffers(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	newDoor(t, h.core, "clay", "main", av.MJPEGTrack(1, 640, 480, 5)).w.End("the camera is off")
	const head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	vp8 := head + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n"
	h264 := head + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=4d001f\r\na=recvonly\r\n"
	for _, c := range []struct {
		name, camera, typ, body, code string
		want                          int
	}{
		{"empty", "door", typeSDP, "", CodeOffer, 400},
		{"no sdp", "door", typeSDP, "v=0", CodeOffer, 400},
		{"another type", "door", "application/json", "{}", CodeOffer, 415},
		{"too long", "door", typeSDP, strings.Repeat("x", maxBody+1), CodeOffer, 413},
		{"nothing to receive", "door", typeSDP, strings.ReplaceAll(h264, "recvonly", "sendonly"), CodeOffer, 400},
		{"no codec", "door", typeSDP, vp8, CodeCodec, 415},
		{"no fingerprint", "door", typeSDP, h264, CodeOffer, 400},
	} {
		resp, body := h.ask(t, "POST", "/"+c.camera+"/whep", c.body, map[string]string{"Content-Type": c.typ})
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != c.want || p.Code != c.code {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
	}
	if n := len(h.Stats()); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// TestAddressReplaced: when the machine has another address, new offers get it at once, and
// a session goes on there after a restart of ICE by PATCH.
func TestAddressReplaced(t *testing.T) {
	var now atomic.Value
	now.Store("127.0.0.1")
	machine := func() ([]ports.Found, error) {
		return []ports.Found{{Interface: "lo", Addr: netip.MustParseAddr(now.Load().(string)), Loopback: true}}, nil
	}
	h := newHouse(t, Options{}, func(s *Server) { s.machine = machine })
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(30)
	v := h.watch(t, "door", viewing{})
	await(t, "the past", func() bool { return len(v.seen()) == 5 })
	now.Store("127.0.0.2")
	w := h.watch(t, "door", viewing{})
	if sdp := w.pc.RemoteDescription().SDP; !strings.Contains(sdp, "127.0.0.2") || strings.Contains(sdp, "127.0.0.1 ") {
		t.Errorf("candidates in %s", sdp)
	}
	await(t, "the past", func() bool { return len(w.seen()) == 5 })

	answer := v.pc.RemoteDescription().SDP
	again, err := v.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.pc.SetLocalDescription(again); err != nil {
		t.Fatal(err)
	}
	ufrag, pwd := offer.Credentials(again.SDP)
	resp, body := h.ask(t, "PATCH", v.loc, "a=ice-ufrag:"+ufrag+"\r\na=ice-pwd:"+pwd+"\r\n", map[string]string{"Content-Type": typeFrag, "If-Match": "*"})
	if resp.StatusCode != 200 || resp.Header.Get("ETag") == v.etag {
		t.Fatal(resp.StatusCode, body)
	}
	f, err := offer.ReadFrag(body)
	if err != nil || len(f.Candidates) == 0 {
		t.Fatal(err, body)
	}
	fresh := offer.WithCredentials(answer, f)
	// Into the first section, before its direction.
	fresh = strings.Replace(fresh, "a=sendonly\r\n", "a="+strings.Join(f.Candidates, "\r\na=")+"\r\na=sendonly\r\n", 1)
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: fresh}); err != nil {
		t.Fatal(err)
	}
	await(t, "the new path", func() bool { return strings.HasPrefix(h.Stats()[0].Local, "127.0.0.2:") })
	before := len(v.seen())
	d.show(3)
	await(t, "pictures on it", func() bool { return len(v.seen()) >= before+3 })
	if st := h.Stats()[0]; st.Restarts != 1 {
		t.Errorf("%+v", st)
	}
}

// TestViewerGone: a browser that has vanished does not keep its session.
func TestViewerGone(t *testing.T) {
	h := newHouse(t, Options{}, func(s *Server) { s.patience = 10 * time.Millisecond })
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	v := h.watch(t, "door", viewing{})
	await(t, "a picture", func() bool { return len(v.seen()) == 1 })
	done := h.Done(path.Base(v.loc))
	v.pc.GetTransceivers()[0].Receiver().Transport().ICETransport().Stop()
	<-done
	if n := h.core.Stream("door", "main").Demand(); n != 0 {
		t.Errorf("%d still read", n)
	}
}

// TestTakenPort is told, and tried again.
func TestTakenPort(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.LocalAddr().(*net.UDPAddr).Port
	s := New(Options{Core: media.New(media.Limits{}), Settings: Settings{Port: port, Loopback: true}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(ctx) })
	defer wg.Wait()
	defer cancel()
	await(t, "the trouble", func() bool {
		var f *Fault
		return errors.As(s.Trouble(), &f) && f.Code() == CodePort
	})
	_ = l.Close()
	s.refresh()
	if s.Trouble() != nil || !slices.Contains(s.Addrs(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))) {
		t.Error(s.Trouble(), s.Addrs())
	}
	s.Apply(Settings{Off: true})
	await(t, "the port to close", func() bool { return len(s.Addrs()) == 0 })
}
