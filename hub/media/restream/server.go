package restream

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
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
	// Credentials are all of the user's passwords; none: nobody has that name. An error is
	// for who has none of them: the address has tried too often. Who has one comes in all
	// the same, since it may be somebody else's address too.
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
	lan       bool // it listens for other machines
	trouble   error
	conns     map[*conn]struct{}
	feeds     map[feed.Source]*shared
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
		conns:   map[*conn]struct{}{}, feeds: map[feed.Source]*shared{},
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
	return s.addr.(*net.TCPAddr).Port, s.lan, nil
}

// Trouble is why the server does not listen, nil while it does or is off.
func (s *Server) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Local is a name and a password that let helpers on this machine in, and nobody else,
// until the hub ends.
func (s *Server) Local() (user, password string) { return localUser, s.pass }

// shut ends everything and waits for it.
func (s *Server) shut() {
	s.mu.Lock()
	s.closing = true
	feeds := s.feeds
	s.feeds = map[feed.Source]*shared{}
	s.mu.Unlock()
	s.unlisten("the hub ends")
	for _, f := range feeds {
		f.stop()
	}
	s.wg.Wait()
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

// lookAfter ends readers that stand or may read no more, and streams that nobody uses.
func (s *Server) lookAfter(ctx context.Context) {
	now := s.o.Now()
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	for src, f := range s.feeds {
		if f.users == 0 && (now.Sub(f.idle) >= feedLinger || !f.Usable()) {
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
