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
	asks     askKey
	speaks   bool // it sends, and hears nothing but answers

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
	err := s.attempt(ctx, s.once)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// attempt converses once by each call of once, until the camera wants no other way.
func (s *session) attempt(ctx context.Context, once func(context.Context) error) error {
	var err error
	for range maxConnects {
		var more *again
		if err = s.contain(ctx, once); !asAgain(err, &more) {
			break
		}
		s.log.Debug("the camera wants another way", "why", more.why)
		err = s.fault(Protocol, "connect", more.why, nil)
	}
	return err
}

// contain turns a panic into the end of this conversation.
func (s *session) contain(ctx context.Context, once func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.fault(Protocol, "read", fmt.Sprintf("an answer broke its reader: %v", r), nil)
		}
	}()
	s.play.reset(s.o.Now)
	s.play.ask = s.askKey
	s.channels, s.timeout, s.asks = make(map[int]channel), 0, askKey{}
	s.pings.Store(nil)
	return once(ctx)
}

func (s *session) once(ctx context.Context) (err error) {
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
		asked["Require"] = []string{backChannel}
	}
	m, err := s.conn.Do("DESCRIBE", s.at.url.String(), asked)
	if err != nil {
		if talk && (ended(err) || silent(err)) && !s.without("back_channel") {
			s.mem.NoTalk = true
			return &again{"it does not bear to be asked for its back channel"}
		}
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

// leave says goodbye: a camera that is not told keeps the place for a while. One that is
// gone is not waited for.
func (s *session) leave(err error) {
	var f *Fault
	if ended(err) || asFault(err, &f) && f.Kind == Timeout {
		return
	}
	s.conn.Goodbye(s.base, goodbye)
}
