package rtsp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/sdp"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/units"
)

// Limits of one pull.
const (
	readTimeout  = 5 * time.Second
	maxRedirects = 3
	maxConnects  = 6 // of one pull, to find out what works with a camera
	maxSounds    = 2 // alternate tracks of sound

	goodbye = 300 * time.Millisecond // what an answer to TEARDOWN is waited for
)

// session is one conversation with one camera, from the dial to the end.
type session struct {
	t    Target
	o    Options
	log  *slog.Logger
	at   address // where the stream is, after redirects
	home address // where the target said it is
	mem  Memory

	conn     *dialog.Conn
	public   string // methods that the camera says it knows
	desc     *sdp.Description
	base     string // what the tracks' addresses are relative to
	timeout  time.Duration
	channels map[int]channel
	pairs    []*dialog.Pair
	play     player
	quiet    bool // the description only

	redirects int
	began     time.Time // when PLAY was asked for
	told      Memory    // what Remember was told
	readers   sync.WaitGroup
	pings     atomic.Pointer[ping] // the last one, until it is answered
}

// channel is what an interleaved channel carries.
type channel struct {
	s    *stream
	rtcp bool
}

// again asks for a new connection, with what was learned.
type again struct{ why string }

func (a *again) Error() string { return a.why }

func newSession(t Target, o Options) (*session, *Fault) {
	at, fault := t.check()
	if fault != nil {
		return nil, fault
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = readTimeout
	}
	s := &session{t: t, o: o, log: o.Log, at: at, home: at, mem: o.Memory}
	if s.mem.Version > memoryVersion {
		s.mem = Memory{}
	}
	s.mem = s.mem.with(t.Quirks)
	if t.Transport != "" {
		s.mem.Transport = ""
	}
	if s.mem.Path != "" {
		s.at = s.at.path(s.mem.Path)
	}
	return s, nil
}

// path is the address with another path on the same host.
func (a address) path(p string) address {
	u := *a.url
	if ref, err := url.Parse(p); err == nil {
		u.Path, u.RawPath, u.RawQuery = ref.Path, ref.RawPath, ref.RawQuery
	}
	return address{url: &u, tls: a.tls}
}

func (s *session) without(repair string) bool { return s.o.without[repair] }

func (s *session) udp() bool {
	return s.t.Transport == "udp" || s.t.Transport == "" && s.mem.Transport == "udp"
}

// run converses until the stream ends, over as many connections as it takes to find out
// what works.
func (s *session) run(ctx context.Context) error {
	var err error
	for range maxConnects {
		var more *again
		if err = s.once(ctx); !asAgain(err, &more) {
			break
		}
		s.log.Debug("the camera wants another way", "why", more.why)
		err = s.fault(Protocol, "connect", more.why, nil)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (s *session) once(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.fault(Protocol, "read", fmt.Sprintf("an answer broke its reader: %v", r), nil)
		}
	}()
	s.play.reset(s.o.Now)
	s.channels, s.timeout = make(map[int]channel), 0
	s.pings.Store(nil)
	if err := s.dial(ctx); err != nil {
		return err
	}
	conn := s.conn
	stop := context.AfterFunc(ctx, conn.Interrupt)
	defer stop()
	defer conn.Close()
	s.play.stop = conn.Interrupt
	for _, step := range []func() error{s.options, s.describe, s.choose} {
		if err := step(); err != nil {
			return err
		}
	}
	if s.quiet {
		return nil
	}
	defer s.closePairs()
	defer func() { s.leave(err) }()
	if err := s.setup(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	return s.watch(ctx)
}

func (s *session) dial(ctx context.Context) error {
	u := s.at.url
	port := u.Port()
	if port == "" {
		port = "554"
		if s.at.tls {
			port = "322"
		}
	}
	conn, err := dialog.Dial(ctx, dialog.Options{
		Address: net.JoinHostPort(u.Hostname(), port), TLS: s.at.tls, Host: u.Hostname(), Pin: s.t.Fingerprint,
		Username: s.t.Username, Password: s.t.Password, Withhold: s.foreign(),
		Timeout: s.o.ReadTimeout, Dial: s.o.Dial, Frame: s.frame,
		StrictNonce: s.without("nonce"), NoAgent: s.without("user_agent"),
	})
	if err != nil {
		return s.cause("dial", err)
	}
	s.conn = conn
	return nil
}

// foreign: a redirect has led to another host, and not over TLS. What was given for the
// first is not sent there.
func (s *session) foreign() bool {
	return !s.at.tls && !strings.EqualFold(s.at.url.Hostname(), s.home.url.Hostname()) && !s.without("withhold")
}

func (s *session) frame(ch int, payload []byte) {
	c, ok := s.channels[ch]
	if !ok {
		return
	}
	s.play.guard(func() {
		if c.rtcp {
			s.play.rtcp(c.s, payload)
			return
		}
		s.play.rtp(c.s, payload)
	})
}

// options asks what the camera can do. Its answer is worth little, but some want the
// question; others end the connection at it.
func (s *session) options() error {
	if s.mem.NoOptions {
		return nil
	}
	m, err := s.conn.Do("OPTIONS", s.at.url.String(), nil)
	if err != nil {
		if !s.without("options") && ended(err) {
			s.mem.NoOptions = true
			return &again{"it ends the connection at OPTIONS"}
		}
		return s.cause("options", err)
	}
	if m.Status == 401 && s.conn.Tried() {
		return s.refused("options", m)
	}
	s.public = strings.ToUpper(strings.Join(m.Header["public"], ","))
	return nil
}

func (s *session) describe() error {
	asked := dialog.Header{"Accept": {"application/sdp"}}
	talk := s.o.Talk && !s.mem.NoTalk
	if talk {
		asked["Require"] = []string{"www.onvif.org/ver20/backchannel"}
	}
	m, err := s.conn.Do("DESCRIBE", s.at.url.String(), asked)
	if err != nil {
		return s.cause("describe", err)
	}
	if talk && m.Status >= 400 && !slices.Contains([]int{401, 403, 404}, m.Status) && !s.without("back_channel") {
		s.mem.NoTalk = true // 551 by the book (ONVIF Streaming 5.3.2), others as well
		if m, err = s.conn.Do("DESCRIBE", s.at.url.String(), dialog.Header{"Accept": {"application/sdp"}}); err != nil {
			return s.cause("describe", err)
		}
	}
	switch {
	case m.Status/100 == 3:
		return s.redirect(m)
	case m.Status == 404 && s.mem.Path != "":
		s.mem.Path, s.at = "", s.home
		return &again{"where it redirected to is gone"}
	case m.Status != 200:
		return s.refused("describe", m)
	}
	if s.desc, err = sdp.Read(m.Body, s.without); err != nil {
		f := s.fault(BadSDP, "describe", "the description cannot be read: "+err.Error(), err)
		if len(m.Body) == 0 {
			f.Why = "the description is empty"
		}
		return f
	}
	s.mem.SDP = s.desc.Repairs
	return s.find(m)
}

// find notes what tracks' addresses are relative to.
func (s *session) find(m *dialog.Message) error {
	u := *s.at.url
	from := m.Header.Get("content-base")
	if from == "" {
		from = m.Header.Get("content-location")
	}
	b, err := dialog.ContentBase(&u, from, s.without)
	if err != nil {
		return s.fault(Protocol, "describe", err.Error(), err)
	}
	s.base = b
	if c := s.desc.Control; c != "" && c != "*" {
		s.base = dialog.ControlURL(&u, b, c, false)
	}
	return nil
}

func (s *session) redirect(m *dialog.Message) error {
	to, err := url.Parse(m.Header.Get("location"))
	if err != nil || to.Hostname() == "" || to.Scheme != "rtsp" && to.Scheme != "rtsps" || s.without("redirect") {
		return s.refused("describe", m)
	}
	if s.at.tls && to.Scheme != "rtsps" {
		return s.fault(Certificate, "describe", "it redirects to an address without TLS", nil)
	}
	to.User = nil
	next := address{url: to, tls: to.Scheme == "rtsps"}
	if s.redirects++; s.redirects > maxRedirects {
		return s.fault(Protocol, "describe", "it redirects in circles", nil)
	}
	// 301 says for ever; what is kept holds no values, which may be secrets.
	if m.Status == 301 && next.url.Host == s.home.url.Host && next.tls == s.home.tls && to.RawQuery == "" && !strings.Contains(to.Path, "=") {
		s.mem.Path = to.EscapedPath()
	}
	s.at = next
	return &again{"it redirects"}
}

// choose picks the streams to play: one of pictures, and of sound as many codecs as readers
// may want.
func (s *session) choose() error {
	noSound := slices.Contains(s.t.Quirks, "no_sound")
	var why []string
	sounds := map[string]bool{}
	secure := 0
	for _, kind := range []string{"video", "audio"} {
		for _, m := range s.desc.Medias {
			switch {
			case m.Kind != kind || m.Talk && !s.without("talk_track"):
				continue
			case m.Secure:
				secure++
				continue
			case kind == "video" && s.play.video, kind == "audio" && (noSound || len(sounds) >= maxSounds):
				continue
			}
			if err := s.take(m, sounds); err != nil {
				why = append(why, err.Error())
			}
		}
	}
	if len(s.play.streams) > 0 {
		return nil
	}
	switch {
	case secure > 0:
		return s.fault(NoMedia, "describe", "the streams are encrypted by SRTP", nil)
	case len(why) > 0:
		return s.fault(NoMedia, "describe", "nothing that is carried: "+strings.Join(why, "; "), nil)
	}
	return s.fault(NoMedia, "describe", "the description offers neither pictures nor sound", nil)
}

// take adds the first format of a media that is carried.
func (s *session) take(m sdp.Media, sounds map[string]bool) error {
	var why error
	for _, f := range m.Formats {
		if m.Kind == "audio" && sounds[f.Name] {
			continue
		}
		err := s.play.add(m, f, units.Options{Slices: s.mem.Slices, Without: s.without})
		if err == nil {
			sounds[f.Name] = m.Kind == "audio"
			if m.Kind == "video" {
				delete(sounds, f.Name)
			}
			return nil
		}
		if why == nil {
			why = fmt.Errorf("%s %s", f.Name, m.Kind)
		}
	}
	return why
}

// setup asks for each stream. Without pictures there is nothing to play; a sound that is
// refused is done without.
func (s *session) setup() error {
	wanted := s.play.streams
	s.play.streams = nil
	for _, st := range wanted {
		err := s.setupOne(st, len(s.play.streams))
		var f *Fault
		if asFault(err, &f) && f.Status >= 400 && f.Status != 401 && st.media.Kind == "audio" && (s.play.video || len(wanted) > 1) && !s.without("sound_refused") {
			s.log.Info("the camera gives no sound", "why", f.Why)
			continue
		}
		if err != nil {
			return err
		}
		s.play.streams = append(s.play.streams, st)
	}
	if len(s.play.streams) == 0 {
		return s.fault(NoMedia, "setup", "the camera refuses every stream", nil)
	}
	return nil
}

func (s *session) setupOne(st *stream, i int) error {
	asked, pair, err := s.transport(i)
	if err != nil {
		return s.fault(Protocol, "setup", err.Error(), err)
	}
	m, err := s.ask(st, asked)
	if err != nil {
		return s.cause("setup", err)
	}
	if m.Status == 461 && !s.udp() && s.t.Transport == "" && !s.without("transport_udp") {
		s.mem.Transport = "udp"
		return &again{"it takes UDP only"}
	}
	if m.Status != 200 {
		return s.refused("setup", m)
	}
	got, err := dialog.TransportAnswer(m.Header["transport"], asked, s.without)
	if err != nil {
		return s.fault(Protocol, "setup", err.Error(), err)
	}
	s.timeout = dialog.SessionTimeout(m)
	if pair == nil {
		ch := got.InterleavedIDs
		if s.without("other_channels") {
			ch = asked.InterleavedIDs
		}
		s.channels[ch[0]] = channel{s: st}
		s.channels[ch[1]] = channel{s: st, rtcp: true}
		return nil
	}
	var ports [2]int
	if got.ServerPorts != nil {
		ports = *got.ServerPorts
	}
	if peer, ok := s.conn.Peer().(*net.TCPAddr); ok {
		pair.Aim(peer.AddrPort().Addr(), ports)
	}
	return nil
}

// transport is what SETUP asks for.
func (s *session) transport(i int) (headers.Transport, *dialog.Pair, error) {
	unicast := headers.TransportDeliveryUnicast
	if !s.udp() {
		return headers.Transport{
			Protocol: headers.TransportProtocolTCP, Delivery: &unicast, InterleavedIDs: &[2]int{2 * i, 2*i + 1},
		}, nil, nil
	}
	packet := dialog.LargestUDP
	if s.without("large_packets") {
		packet = 1472
	}
	pair, err := dialog.Listen(s.conn.Local(), packet)
	if err != nil {
		return headers.Transport{}, nil, err
	}
	s.pairs = append(s.pairs, pair)
	a, b := pair.Ports()
	return headers.Transport{Protocol: headers.TransportProtocolUDP, Delivery: &unicast, ClientPorts: &[2]int{a, b}}, pair, nil
}

// ask sends SETUP to the track's address, and where the camera does not know that to the
// other ways of writing it.
func (s *session) ask(st *stream, t headers.Transport) (*dialog.Message, error) {
	h := dialog.Header{"Transport": t.Marshal()}
	u := s.at.url
	first := dialog.ControlURL(u, s.base, st.media.Control, s.mem.TrackFirst)
	m, err := s.conn.Do("SETUP", first, h)
	if err != nil || !slices.Contains([]int{400, 404, 454, 500}, m.Status) || s.without("control_query") {
		return m, err
	}
	for _, other := range []struct {
		from  string
		first bool
	}{{s.base, !s.mem.TrackFirst}, {u.String(), false}, {u.String(), true}} {
		to := dialog.ControlURL(u, other.from, st.media.Control, other.first)
		if to == first {
			continue
		}
		m2, err := s.conn.Do("SETUP", to, h)
		if err != nil {
			return nil, err
		}
		if m2.Status == 200 {
			if other.from == s.base {
				s.mem.TrackFirst = other.first
			} else {
				s.base = other.from
			}
			return m2, nil
		}
	}
	return m, nil
}

func (s *session) closePairs() {
	for _, p := range s.pairs {
		p.Close()
	}
	s.readers.Wait()
	s.pairs = nil
}

// leave says goodbye: a camera that is not told keeps the place for a while. One that is
// gone is not waited for.
func (s *session) leave(err error) {
	var f *Fault
	if ended(err) || asFault(err, &f) && f.Kind == Timeout {
		return
	}
	s.conn.Goodbye(s.base, goodbye)
}
