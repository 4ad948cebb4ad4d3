package whep

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/pack"
	"github.com/porchlight-hub/porchlight/hub/media/whep/ports"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxSessions at once, of all viewers.
	maxSessions = 64
	// maxSessionsOf one login: a wall of 16 cameras on two pages.
	maxSessionsOf = 32
	// look is how often the machine's addresses are looked at, beside at each offer.
	look = 5 * time.Second
	// renewBefore a certificate's end a new one is made for new sessions.
	renewBefore = 7 * 24 * time.Hour
)

// Renditions opens a stream in a form; what does not fit is converted.
type Renditions interface {
	Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error)
}

// Settings of the server.
type Settings struct {
	Off  bool
	Port int // of UDP and of TCP; 0: any that is free
	// NoTCP leaves the TCP port closed.
	NoTCP bool
	// Loopback: browsers of this machine only.
	Loopback bool
	// Interfaces by name; empty: all but those that are obviously virtual.
	Interfaces []string
	// STUN servers, as stun:host:port; empty: none is asked.
	STUN []string
}

// Options of a server.
type Options struct {
	Core       *media.Core
	Renditions Renditions // nil: streams as they are, or not at all
	Settings   Settings
	Log        *slog.Logger
	Now        func() time.Time
}

// Viewer is who watches.
type Viewer struct {
	Name string // as people call them
	Key  string // who may touch the session: opaque
	// MayTalk: sound from the page is taken.
	MayTalk bool
}

// Server answers offers and sends. It is safe for many goroutines.
type Server struct {
	o     Options
	log   *slog.Logger
	shelf *pack.Shelf
	wg    sync.WaitGroup // sessions
	again chan struct{}  // of one: settings have changed

	patience time.Duration                 // with a viewer that is away
	machine  func() ([]ports.Found, error) // nil: this one

	mu       sync.Mutex
	settings Settings
	ctx      context.Context // of Serve; nil: not serving
	ports    *ports.Ports    // nil: off
	trouble  error
	cert     *webrtc.Certificate
	sessions map[string]*session
	opening  int
	of       map[string]int // sessions by the viewer's key, with those that are opening
}

// New makes a server that answers nothing before Serve.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{o: o, log: o.Log.With("part", "webrtc"), shelf: pack.NewShelf(o.Now), settings: o.Settings,
		again: make(chan struct{}, 1), patience: awayFor, sessions: make(map[string]*session), of: make(map[string]int)}
}

// Serve has the ports open until ctx ends, and then ends all sessions. A port that another
// program has is tried again; Trouble tells of it.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.ctx != nil {
		s.mu.Unlock()
		return errors.New("webrtc: serve: it serves already")
	}
	s.ctx = ctx
	s.mu.Unlock()
	s.reopen()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.down()
			return nil
		case <-s.again:
			s.reopen()
		case <-tick.C:
			s.refresh()
		}
	}
}

// down ends everything.
func (s *Server) down() {
	s.endAll("the hub is going down")
	s.wg.Wait()
	s.mu.Lock()
	p := s.ports
	s.ports, s.ctx = nil, nil
	s.mu.Unlock()
	if p != nil {
		p.Close()
	}
}

// Apply takes new settings. Where the sockets change, sessions end.
func (s *Server) Apply(to Settings) {
	sockets := func(st Settings) Settings {
		st.STUN = nil
		return st
	}
	s.mu.Lock()
	same := reflect.DeepEqual(sockets(s.settings), sockets(to))
	s.settings = to
	s.mu.Unlock()
	if same {
		return
	}
	select {
	case s.again <- struct{}{}:
	default: // it will look anyway
	}
}

// reopen makes the sockets that the settings ask for.
func (s *Server) reopen() {
	s.mu.Lock()
	old, st := s.ports, s.settings
	s.ports, s.trouble = nil, nil
	s.mu.Unlock()
	if old != nil {
		s.endAll("the settings of WebRTC have changed")
		s.wg.Wait()
		old.Close()
	}
	if st.Off {
		return
	}
	p := ports.New(ports.Settings{Port: st.Port, NoTCP: st.NoTCP, Loopback: st.Loopback, Interfaces: st.Interfaces},
		quiet{s.log}, s.o.Now, s.machine)
	s.mu.Lock()
	s.ports = p
	s.mu.Unlock()
	s.refresh()
}

// refresh looks at the addresses.
func (s *Server) refresh() {
	s.mu.Lock()
	p, st, before := s.ports, s.settings, s.trouble
	s.mu.Unlock()
	if p == nil {
		return
	}
	err := p.Refresh()
	var trouble error
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
		trouble = portFault(st.Port, err)
	case len(p.Addrs()) == 0:
		trouble = addressFault()
	}
	s.mu.Lock()
	if s.ports == p {
		s.trouble = trouble
	}
	s.mu.Unlock()
	if was, is := text(before), text(trouble); was != is {
		if trouble != nil {
			s.log.Warn("no WebRTC on some address", "err", trouble)
		} else {
			s.log.Info("WebRTC is ready", "addresses", p.Addrs())
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Trouble is why browsers cannot reach some address, with a code; nil: they can.
func (s *Server) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Addrs are the addresses that browsers are told now.
func (s *Server) Addrs() []netip.AddrPort {
	s.mu.Lock()
	p := s.ports
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.Addrs()
}

// certificate is one for all sessions of the process; browsers know it by its print in
// the answer, so nobody signs it.
func (s *Server) certificate() (webrtc.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert != nil && s.cert.Expires().Sub(s.o.Now()) > renewBefore {
		return *s.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("webrtc: certificate: %w", err)
	}
	c, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("webrtc: certificate: %w", err)
	}
	s.cert = c
	return *c, nil
}

// enter makes room for one session more of key; leave gives it back unless the session was kept.
func (s *Server) enter(key string) (ctx context.Context, p *ports.Ports, st Settings, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.settings.Off:
		return nil, nil, st, offFault("it is switched off")
	case s.ctx == nil || s.ctx.Err() != nil || s.ports == nil:
		return nil, nil, st, offFault("it is not running")
	case len(s.sessions)+s.opening >= maxSessions:
		return nil, nil, st, fullFault(maxSessions)
	case s.of[key] >= maxSessionsOf:
		return nil, nil, st, fullFault(maxSessionsOf)
	}
	s.opening++
	s.of[key]++
	s.wg.Add(1)
	return s.ctx, s.ports, s.settings, nil
}

// keep counts a session that was entered among those that run.
func (s *Server) keep(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening--
	s.sessions[x.id] = x
}

func (s *Server) forget(x *session) {
	s.mu.Lock()
	delete(s.sessions, x.id)
	s.less(x.viewer.Key)
	s.mu.Unlock()
	s.wg.Done()
}

func (s *Server) leave(key string) {
	s.mu.Lock()
	s.opening--
	s.less(key)
	s.mu.Unlock()
	s.wg.Done()
}

// less counts one session less of key; s is locked.
func (s *Server) less(key string) {
	if s.of[key]--; s.of[key] <= 0 {
		delete(s.of, key)
	}
}

func (s *Server) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*session, 0, len(s.sessions))
	for _, x := range s.sessions {
		out = append(out, x)
	}
	return out
}

// End closes a session, for reason; it is done when Done says so.
func (s *Server) End(id, reason string) {
	if x := s.session(id); x != nil {
		x.end(errors.New(cmp.Or(reason, "ended")))
	}
}

func (s *Server) endAll(reason string) {
	for _, x := range s.all() {
		x.end(errors.New(reason))
	}
}

// Done is closed when the session is over, or was never there.
func (s *Server) Done(id string) <-chan struct{} {
	if x := s.session(id); x != nil {
		return x.over
	}
	none := make(chan struct{})
	close(none)
	return none
}
