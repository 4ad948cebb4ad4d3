package whep

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/batch"
	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
	"github.com/porchlight-hub/porchlight/hub/media/whep/ports"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// connectWithin is how long a browser has from the answer to its first check.
	connectWithin = 10 * time.Second
	// awayFor is how long a viewer may be silent, beyond the 4 s after which it counts as
	// away, before its session is over.
	awayFor   = 10 * time.Second
	awayAfter = 4 * time.Second
	keepAlive = 2 * time.Second
	// openWithin is how long a conversion may take to begin.
	openWithin = 8 * time.Second
	// stunWithin: a STUN server that does not answer delays no page for longer.
	stunWithin = 500 * time.Millisecond

	midExtension = "urn:ietf:params:rtp-hdrext:sdes:mid"

	// group is the name of the stream in the answer: tracks of one are played in step.
	group = "porchlight"
)

// session is one viewer's connection.
type session struct {
	srv            *Server
	id             string
	camera, stream string
	viewer         Viewer
	since          time.Time

	ctx    context.Context // its cause says why it ended
	cancel context.CancelCauseFunc
	over   chan struct{}
	up     chan struct{} // closed when it is connected for the first time
	upOnce sync.Once

	pc    *webrtc.PeerConnection
	ports *ports.Ports
	// loopback: the browser may be on this machine.
	loopback bool
	path     atomic.Pointer[route] // nil: not connected
	choice   offer.Choice
	how      string  // guarded by mu
	note     string  // more about how, of what could not be had
	video    *outlet // nil: none
	sound    *outlet
	speech   *speech // nil: the page may not speak

	stat counters

	patching  sync.Mutex // held while offer changes
	offer     string
	told      int       // candidates of the browser since the last restart; guarded by patching
	restarted time.Time // guarded by patching

	mu       sync.Mutex
	etag     string
	away     *time.Timer // runs while the viewer is away
	reader   *media.Rendering
	wait     context.Context // of the sender's waiting; stop ends it
	stop     context.CancelFunc
	wanted   bool // the browser asks for a key frame
	wantedAt time.Time
}

// counters of a session.
type counters struct {
	connected atomic.Int64 // nanoseconds from the offer; 0: not yet
	first     atomic.Int64 // the same to the first picture
	nacks     atomic.Uint64
	repeated  atomic.Uint64
	keyAsked  atomic.Uint64
	rewound   atomic.Uint64
	restarts  atomic.Uint64
	skipped   atomic.Uint64 // GOPs, of readers that were closed
	lost      atomic.Uint32 // fraction in 1/256
	lostAt    atomic.Int64  // unix nanoseconds of the last report of loss
	roundTrip atomic.Int64
	state     atomic.Value // string
}

// api is pion with what this session speaks, and nothing else.
func (s *Server) api(p *ports.Ports, st Settings, c offer.Choice, o *offer.Offer) (*webrtc.API, error) {
	var m webrtc.MediaEngine
	add := func(c webrtc.RTPCodecParameters, kind webrtc.RTPCodecType, feedback ...webrtc.RTCPFeedback) error {
		c.RTCPFeedback = slices.DeleteFunc(slices.Clone(c.RTCPFeedback), func(f webrtc.RTCPFeedback) bool { return !slices.Contains(feedback, f) })
		return m.RegisterCodec(c, kind)
	}
	if c.Video != nil {
		if err := add(*c.Video, webrtc.RTPCodecTypeVideo, webrtc.RTCPFeedback{Type: "nack"},
			webrtc.RTCPFeedback{Type: "nack", Parameter: "pli"}, webrtc.RTCPFeedback{Type: "ccm", Parameter: "fir"}); err != nil {
			return nil, err
		}
	}
	sounds := slices.Clone(c.Speech)
	if c.Audio != nil && !slices.ContainsFunc(sounds, func(s webrtc.RTPCodecParameters) bool { return s.PayloadType == c.Audio.PayloadType }) {
		sounds = append(sounds, *c.Audio)
	}
	for _, a := range sounds {
		if err := add(a, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	if len(c.Speech) > 0 && o.Audio.Has(midExtension) {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: midExtension}, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
		webrtc.WithSettingEngine(s.engine(p, st))), nil
}

// engine is how pion's rooms are set. ICE is lite: the browser checks, and nothing need be
// known of its addresses, which are hidden behind names of mDNS where no page may use the
// microphone. With a STUN server it is full, since lite agents have only their own addresses.
func (s *Server) engine(p *ports.Ports, st Settings) webrtc.SettingEngine {
	var e webrtc.SettingEngine
	e.LoggerFactory = quiet{s.log}
	e.SetLite(len(st.STUN) == 0)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetICEUDPMux(p.UDP())
	types := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if t := p.TCP(); t != nil {
		e.SetICETCPMux(t)
		types = append(types, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	e.SetNetworkTypes(types)
	e.DisableActiveTCP(true)
	e.SetIncludeLoopbackCandidate(st.Loopback)
	e.SetIPFilter(p.Has)
	e.SetSTUNGatherTimeout(stunWithin)
	e.SetICETimeouts(awayAfter, s.patience, keepAlive)
	// AES-GCM costs a fraction of AES with SHA-1. The server of DTLS chooses (RFC 5764 4.1.2),
	// and browsers choose the other one.
	_ = e.SetAnsweringDTLSRole(webrtc.DTLSRoleServer) // it refuses only roles that are none
	// ICE has shown that the browser is where it says; DTLS need not ask once more.
	e.SetDTLSInsecureSkipHelloVerify(true)
	e.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	return e
}

// newSession makes a session and its answer.
func (s *Server) newSession(ctx context.Context, p *ports.Ports, st Settings, x *session, o *offer.Offer) (answer string, err error) {
	api, err := s.api(p, st, x.choice, o)
	if err != nil {
		return "", err
	}
	cert, err := s.certificate()
	if err != nil {
		return "", err
	}
	conf := webrtc.Configuration{Certificates: []webrtc.Certificate{cert}}
	if len(st.STUN) > 0 {
		conf.ICEServers = []webrtc.ICEServer{{URLs: st.STUN}}
	}
	if x.pc, err = api.NewPeerConnection(conf); err != nil {
		return "", err
	}
	if err := x.tracks(); err != nil {
		return "", err
	}
	x.pc.OnICEConnectionStateChange(x.moved)
	x.pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) {
		if st == webrtc.PeerConnectionStateConnected {
			x.upOnce.Do(func() { close(x.up) })
		}
	})
	x.offer, x.told = offer.Candidates(o.Text, st.Loopback)
	x.ports, x.loopback = p, st.Loopback
	x.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(x.paired)
	answer, err = x.answer(ctx, x.offer)
	return answer, err
}

// tracks puts what is sent, and what may come, into the connection.
func (x *session) tracks() error {
	if x.choice.Video != nil {
		x.video = newOutlet(webrtc.RTPCodecTypeVideo, *x.choice.Video, group)
		if err := x.send(x.video, webrtc.RTPTransceiverDirectionSendonly); err != nil {
			return err
		}
	}
	direction := webrtc.RTPTransceiverDirectionSendonly
	if len(x.choice.Speech) > 0 {
		x.speech = newSpeech(x)
		x.pc.OnTrack(x.speech.hear)
		direction = webrtc.RTPTransceiverDirectionSendrecv
	}
	switch {
	case x.choice.Audio != nil:
		x.sound = newOutlet(webrtc.RTPCodecTypeAudio, *x.choice.Audio, group)
		return x.send(x.sound, direction)
	case x.speech != nil:
		_, err := x.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		return err
	}
	return nil
}

func (x *session) send(o *outlet, d webrtc.RTPTransceiverDirection) error {
	t, err := x.pc.AddTransceiverFromTrack(o, webrtc.RTPTransceiverInit{Direction: d})
	if err != nil {
		return err
	}
	x.srv.wg.Go(func() { x.listen(o, t.Sender()) }) // ends with the connection
	return nil
}

// answer takes an offer, and waits until the answer has all addresses.
func (x *session) answer(ctx context.Context, from string) (string, error) {
	if err := x.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: from}); err != nil {
		return "", offerFault(err)
	}
	a, err := x.pc.CreateAnswer(nil)
	if err != nil {
		return "", offerFault(err)
	}
	gathered := webrtc.GatheringCompletePromise(x.pc)
	if err := x.pc.SetLocalDescription(a); err != nil {
		return "", offerFault(err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	d := x.pc.LocalDescription()
	if d == nil {
		return "", errors.New("webrtc: the session has ended")
	}
	return offer.WithMids(d.SDP, from), nil
}

// moved hears of the state of ICE.
func (x *session) moved(st webrtc.ICEConnectionState) {
	x.stat.state.Store(st.String())
	x.mu.Lock()
	defer x.mu.Unlock()
	switch st {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		if x.away != nil {
			x.away.Stop()
			x.away = nil
		}
	case webrtc.ICEConnectionStateDisconnected, webrtc.ICEConnectionStateFailed:
		if x.away == nil {
			x.away = time.AfterFunc(x.srv.patience, func() { x.end(errors.New("the viewer has gone")) })
		}
	case webrtc.ICEConnectionStateClosed:
		x.cancel(errors.New("the connection was closed"))
	}
}

// end closes the session.
func (x *session) end(why error) { x.cancel(why) }

// run is the session's life after the answer.
func (x *session) run(r *media.Rendering) {
	err := x.live(r)
	x.cancel(err)
	x.mu.Lock()
	if x.away != nil {
		x.away.Stop()
	}
	x.mu.Unlock()
	_ = x.pc.Close()
	if p := x.path.Load(); p != nil && p.socket != nil {
		p.socket.Forget(p.remote)
	}
	if x.speech != nil {
		x.speech.stop()
	}
	x.srv.log.Debug("viewer has gone", "camera", x.camera, "stream", x.stream, "session", x.id, "why", context.Cause(x.ctx))
	close(x.over)
	x.srv.forget(x)
}

func (x *session) live(r *media.Rendering) error {
	defer func() { x.cursor(nil).Close() }()
	x.cursor(r)
	late := time.NewTimer(connectWithin)
	defer late.Stop()
	select {
	case <-x.up:
	case <-late.C:
		return errors.New("the browser did not connect")
	case <-x.ctx.Done():
		return context.Cause(x.ctx)
	}
	x.stat.connected.Store(int64(x.srv.o.Now().Sub(x.since)))
	return (&sender{x: x, behind: true}).play()
}

// cursor puts r in place of the reader and returns the one before.
func (x *session) cursor(r *media.Rendering) *media.Rendering {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.reader
	x.reader = r
	if r != nil {
		x.how = r.How()
	}
	return old
}

// open reads the stream in the chosen form from its newest key frame.
func (x *session) open() (*media.Rendering, error) {
	return x.srv.open(x.ctx, x.camera, x.stream, x.choice.Want)
}

func (s *Server) open(ctx context.Context, camera, stream string, want av.Rendition) (*media.Rendering, error) {
	o := media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}}
	if s.o.Renditions != nil {
		ctx, cancel := context.WithTimeout(ctx, openWithin)
		defer cancel()
		return s.o.Renditions.Open(ctx, camera, stream, want, o)
	}
	st := s.o.Core.Stream(camera, stream)
	w, err := media.Fit(st.Tracks(), want)
	if err != nil {
		return nil, fmt.Errorf("webrtc: %w", err)
	}
	o.Want = w
	return media.NewRendering(st.Open(o), want, media.Copy, nil), nil
}

// route is between which addresses the connection is.
type route struct {
	transport     string
	local, remote netip.AddrPort
	socket        *batch.Conn // nil: TCP
}

// paired hears which path ICE has chosen.
func (x *session) paired(p *webrtc.ICECandidatePair) {
	if p == nil || p.Local == nil || p.Remote == nil {
		return
	}
	to := &route{transport: p.Local.Protocol.String(), local: place(p.Local), remote: place(p.Remote)}
	if p.Local.Protocol == webrtc.ICEProtocolUDP {
		to.socket = x.ports.Socket(to.local.Addr())
	}
	if old := x.path.Swap(to); old != nil && old.socket != nil {
		old.socket.Forget(old.remote)
	}
}

func place(c *webrtc.ICECandidate) netip.AddrPort {
	a, err := netip.ParseAddr(c.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), c.Port)
}

// together keeps what is sent to the viewer until done is called.
func (x *session) together() (done func()) {
	p := x.path.Load()
	if p == nil || p.socket == nil {
		return func() {}
	}
	p.socket.Hold(p.remote)
	return func() { p.socket.Release(p.remote) }
}
