package restream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Realm is what stream passwords are hashed with (RFC 7616 3.4.2). It must not change, or
// all of them are worthless.
const Realm = "Porchlight"

const (
	// maxConns bounds the connections, maxConnsOf those from one other machine.
	maxConns   = 512
	maxConnsOf = 64
	// feedLinger is how long a stream is read on after its last reader.
	feedLinger = 10 * time.Second
	// writeStall closes a reader that takes nothing for so long.
	writeStall = 10 * time.Second
	// lookEvery is how often the server looks after readers that stand and streams that
	// nobody uses.
	lookEvery = time.Second
	// rightsEvery is how often it asks whether a reader may still read.
	rightsEvery = 5 * time.Second
	// retryPort is the pause before a taken port is tried again.
	retryPort = 5 * time.Second
	// endedKept is how many readers that have gone the statistics show.
	endedKept = 32
)

// Renditions gives a stream in the form that is asked for.
type Renditions interface {
	Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error)
}

// Credential is one password of a user, as Digest needs it.
type Credential struct {
	ID     string // of the password
	MD5    string // hex of MD5(user:Realm:password)
	SHA256 string // hex of SHA-256 of the same
	Viewer Viewer
}

// Viewer is who reads.
type Viewer struct {
	User, Name string // Name is the password's: which program it is
	MayTalk    bool
	Cameras    []string // none: the whole house
}

// sees tells whether the viewer is let to the camera.
func (v Viewer) sees(camera string) bool {
	return len(v.Cameras) == 0 || slices.Contains(v.Cameras, camera)
}

// Logins knows the stream passwords.
type Logins interface {
	// Credentials are all of the user's passwords; none: nobody has that name. An error
	// keeps the address out for now, since it has tried too often.
	Credentials(ctx context.Context, user, address string) ([]Credential, error)
	// Wrong counts a wrong password, Used a right one.
	Wrong(address string)
	Used(ctx context.Context, id, address string)
	// Valid tells whether a password is still good.
	Valid(ctx context.Context, id string) bool
}

// Talk takes speech to a camera.
type Talk interface {
	// Takes tells whether the camera can be spoken to.
	Takes(camera string) bool
	// Busy is an error that says who speaks, if it is somebody else than key.
	Busy(camera, key string) error
	// Open begins. put takes units of track; end ends.
	Open(ctx context.Context, camera, name, key string, track av.Track) (put func(*av.Unit) error, end func(reason string), err error)
}

// Settings can change while the server runs.
type Settings struct {
	Port int  // 0: a free one
	LAN  bool // other machines may come in; else this one only
	Off  bool
}

// Options of New. All but Core may be left out.
type Options struct {
	Core       *media.Core
	Renditions Renditions // none: streams as they are
	Logins     Logins     // none: only helpers of this machine come in
	Talk       Talk
	Cameras    func(id string) bool // tells which there are; none: all
	Settings   Settings
	Log        *slog.Logger
	Now        func() time.Time
}

// Server serves RTSP. It is safe for concurrent use.
type Server struct {
	o     Options
	log   *slog.Logger
	local Credential // of helpers on this machine
	pass  string

	applied chan struct{} // size 1: the settings have changed

	mu        sync.Mutex
	settings  Settings
	listeners []net.Listener
	addr      net.Addr
	trouble   error
	conns     map[*conn]struct{}
	feeds     map[source]*feed
	ended     []ReaderStats
	ids       uint64
	refused   atomic.Uint64
	closing   bool
	wg        sync.WaitGroup // of connections and feeds
	ctx       context.Context
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Cameras == nil {
		o.Cameras = func(string) bool { return true }
	}
	if o.Logins == nil {
		o.Logins = nobody{}
	}
	s := &Server{
		o: o, log: o.Log.With("part", "restream"), settings: o.Settings,
		applied: make(chan struct{}, 1),
		conns:   map[*conn]struct{}{}, feeds: map[source]*feed{},
	}
	s.pass = nonce() + nonce()
	s.local = Credential{ID: localID, Viewer: Viewer{User: localUser, Name: "this machine"}}
	s.local.MD5, s.local.SHA256 = HA1(localUser, s.pass)
	return s
}

// Serve listens until ctx ends. A port that is taken is tried again; Trouble tells.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	defer s.shut()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	s.listen()
	tried := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.applied:
			s.unlisten("the settings have changed")
			s.listen()
			tried = time.Now()
		case now := <-look.C:
			if s.Trouble() != nil && now.Sub(tried) >= retryPort {
				tried = now
				s.listen()
			}
			s.lookAfter(ctx)
		}
	}
}

// Apply takes new settings. Readers stay, unless the server has to listen elsewhere.
func (s *Server) Apply(n Settings) {
	s.mu.Lock()
	same := s.settings == n
	s.settings = n
	s.mu.Unlock()
	if same {
		return
	}
	select {
	case s.applied <- struct{}{}:
	default: // it will see this one too
	}
}

// Addr is where the server listens; nil: nowhere.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Where is the port, and whether other machines may come; the error is why there is none.
func (s *Server) Where() (port int, lan bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.trouble != nil:
		return 0, false, s.trouble
	case s.addr == nil:
		return 0, false, notListening{}
	}
	return s.addr.(*net.TCPAddr).Port, s.settings.LAN, nil
}

// notListening: the server is off, or not there yet.
type notListening struct{}

func (notListening) Error() string { return "the hub does not listen for RTSP" }
func (notListening) Code() string  { return "E-RESTREAM-OFF" }
func (notListening) Hint() string  { return "Ask again in a moment, if the hub has just begun." }

// Trouble is why the server does not listen, nil while it does or is off.
func (s *Server) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Local is a name and a password that let helpers on this machine in, and nobody else,
// until the hub ends.
func (s *Server) Local() (user, password string) { return localUser, s.pass }

// listen opens the port on this machine's loopback addresses, or on all.
func (s *Server) listen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = nil
	if s.settings.Off || s.ctx.Err() != nil {
		return
	}
	hosts := []string{"127.0.0.1", "::1"}
	if s.settings.LAN {
		hosts = []string{""}
	}
	port := s.settings.Port
	for i, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil && i > 0 {
			continue // a machine without IPv6
		}
		if err != nil {
			s.trouble = portError{port, err}
			s.log.Error("cannot listen", "port", port, "err", err)
			return
		}
		if i == 0 {
			s.addr = l.Addr()
			port = l.Addr().(*net.TCPAddr).Port // a free one was asked for
		}
		s.listeners = append(s.listeners, l)
		s.wg.Go(func() { s.accept(l) })
	}
	s.log.Info("serving rtsp", "address", s.addr.String(), "lan", s.settings.LAN)
}

// unlisten closes the port and ends every connection.
func (s *Server) unlisten(reason string) {
	s.mu.Lock()
	listeners, conns := s.listeners, make([]*conn, 0, len(s.conns))
	s.listeners, s.addr = nil, nil
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, c := range conns {
		c.close(reason)
	}
}

// shut ends everything and waits for it.
func (s *Server) shut() {
	s.mu.Lock()
	s.closing = true
	feeds := s.feeds
	s.feeds = map[source]*feed{}
	s.mu.Unlock()
	s.unlisten("the hub ends")
	for _, f := range feeds {
		f.stop()
	}
	s.wg.Wait()
}

func (s *Server) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("accept", "err", err)
			select { // out of descriptors, most likely: not a reason to end, nor to spin
			case <-time.After(100 * time.Millisecond):
			case <-s.ctx.Done():
			}
			continue
		}
		c := newConn(s, nc)
		if !s.admit(c) {
			s.refused.Add(1)
			_ = nc.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.leave(c)
			c.serve(s.ctx)
		})
	}
}

// admit bounds the connections.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := 0
	for o := range s.conns {
		if o.host == c.host {
			of++
		}
	}
	if s.closing || len(s.conns) >= maxConns || !c.loopback && of >= maxConnsOf {
		return false
	}
	s.ids++
	c.id = s.ids
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	c.finish()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// note keeps the last figures of a reader that has gone.
func (s *Server) note(st ReaderStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, st)
	if n := len(s.ended) - endedKept; n > 0 {
		s.ended = slices.Delete(s.ended, 0, n)
	}
}

// feed gives the feed of src, opened if it is not there; the caller releases it.
func (s *Server) feed(ctx context.Context, src source) (*feed, error) {
	if f := s.take(src); f != nil {
		return f, nil
	}
	r, err := s.open(ctx, src)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.feeds[src]; f != nil && f.usable() { // somebody was faster
		f.users++
		r.Close()
		return f, nil
	}
	if s.closing {
		r.Close()
		return nil, errQuit
	}
	f := newFeed(src, r, s.o.Now)
	f.users = 1
	run, stop := context.WithCancel(s.ctx)
	f.stop = stop
	s.feeds[src] = f
	s.wg.Go(func() { f.run(run) })
	return f, nil
}

func (s *Server) take(src source) *feed {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[src]
	if f == nil || !f.usable() {
		return nil
	}
	f.users++
	return f
}

// retain counts one more user of a feed that has one.
func (s *Server) retain(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.users++
}

func (s *Server) release(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.users--
	f.idle = s.o.Now()
}

// open begins to read src.
func (s *Server) open(ctx context.Context, src source) (*media.Rendering, error) {
	o := media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}}
	if s.o.Renditions != nil {
		return s.o.Renditions.Open(ctx, src.camera, src.stream, src.want, o)
	}
	stream := s.o.Core.Stream(src.camera, src.stream)
	want, err := media.Fit(stream.Tracks(), src.want)
	if err != nil && !errors.Is(err, media.ErrNoTracks) {
		return nil, err
	}
	o.Want = want
	return media.NewRendering(stream.Open(o), src.want, media.Copy, nil), nil
}

// lookAfter ends readers that stand or may read no more, and streams that nobody uses.
func (s *Server) lookAfter(ctx context.Context) {
	now := s.o.Now()
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	for src, f := range s.feeds {
		if f.users == 0 && (now.Sub(f.idle) >= feedLinger || !f.usable()) {
			f.stop()
			delete(s.feeds, src)
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.look(ctx, now)
	}
}

// End closes what was opened with the password of that id, or by that user.
func (s *Server) End(who string) {
	for _, c := range s.all() {
		if c.is(who) {
			c.close("the password was revoked")
		}
	}
}

func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return out
}

// nobody has a password.
type nobody struct{}

func (nobody) Credentials(context.Context, string, string) ([]Credential, error) { return nil, nil }
func (nobody) Wrong(string)                                                      {}
func (nobody) Used(context.Context, string, string)                              {}
func (nobody) Valid(context.Context, string) bool                                { return false }

// portError says that the server cannot listen.
type portError struct {
	port int
	err  error
}

func (e portError) Error() string {
	return fmt.Sprintf("restream: listen on port %d: %v", e.port, e.err)
}
func (e portError) Unwrap() error { return e.err }

// Code and Hint are for people.
func (e portError) Code() string {
	if errors.Is(e.err, syscall.EADDRINUSE) {
		return "E-RESTREAM-PORT-TAKEN"
	}
	return "E-RESTREAM-LISTEN"
}
func (e portError) Hint() string {
	return "Set hub.rtsp.port to a free port above 1023; the hub tries again by itself meanwhile."
}
