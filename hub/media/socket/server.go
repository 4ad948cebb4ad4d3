package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Name of the socket in an instance's directory.
const Name = "media.sock"

const (
	// maxConns of one plugin at a time; a camera takes two or three.
	maxConns = 128
	// maxWaiting with those that have not said yet what they want: beyond it they are
	// closed unheard, since each takes a descriptor of the whole hub.
	maxWaiting = 2 * maxConns
)

// ErrNotListening: the plugin has no media socket, because it does not run.
var ErrNotListening = errors.New("no media socket")

// Renditions makes the forms that a stream has not.
type Renditions interface {
	Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error)
	Describe(camera, stream string, want av.Rendition) (media.Preview, error)
}

// Server has the media sockets of all plugin instances.
type Server struct {
	core       *media.Core
	renditions Renditions // nil: streams as they are
	log        *slog.Logger

	mu        sync.Mutex
	instances map[string]*instance
}

// instance is the socket of one running plugin.
type instance struct {
	plugin string
	path   string
	ln     *net.UnixListener
	ctx    context.Context // ends with the instance; its connections hang on it
	cancel context.CancelFunc
	wg     sync.WaitGroup
	open   atomic.Int64

	mu      sync.Mutex
	tickets []*ticket
	stats   Stats
}

// Stats of one plugin's socket since it was opened.
type Stats struct {
	Open    int    // connections now
	Let     uint64 // connections let in
	Refused uint64 // wrong, used or old tokens, foreign processes, too many connections
	Broken  uint64 // connections closed because the plugin sent what it must not
}

// New makes a server without sockets. Without renditions it gives streams as they are.
func New(core *media.Core, renditions Renditions, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{core: core, renditions: renditions, log: log.With("part", "media"), instances: make(map[string]*instance)}
}

// Listen opens media.sock for plugin in dir, which must be its own with mode 0700. A
// socket that the plugin had before is closed.
func (s *Server) Listen(plugin, dir string) error {
	if err := s.Close(plugin); err != nil {
		return err
	}
	path := filepath.Join(dir, Name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("media socket: plugin %s: %w", plugin, err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("media socket: plugin %s: %w", plugin, err)
	}
	// The directory keeps others out until the mode is set.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return fmt.Errorf("media socket: plugin %s: %w", plugin, err)
	}
	in := &instance{plugin: plugin, path: path, ln: ln}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	s.instances[plugin] = in
	s.mu.Unlock()
	in.wg.Go(func() { s.accept(in) })
	return nil
}

// Close ends plugin's socket and all its connections, and returns when they have ended.
func (s *Server) Close(plugin string) error {
	s.mu.Lock()
	in := s.instances[plugin]
	delete(s.instances, plugin)
	s.mu.Unlock()
	if in == nil {
		return nil
	}
	in.cancel()
	err := in.ln.Close() // removes the file too
	in.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("media socket: plugin %s: %w", plugin, err)
	}
	return nil
}

// Stop closes all sockets.
func (s *Server) Stop() error {
	s.mu.Lock()
	var plugins []string
	for p := range s.instances {
		plugins = append(plugins, p)
	}
	s.mu.Unlock()
	var errs []error
	for _, p := range plugins {
		errs = append(errs, s.Close(p))
	}
	return errors.Join(errs...)
}

// Stats of plugin's socket; false: it has none.
func (s *Server) Stats(plugin string) (Stats, bool) {
	in, ok := s.instance(plugin)
	if !ok {
		return Stats{}, false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	st := in.stats
	st.Open = int(in.open.Load())
	return st, true
}

func (s *Server) instance(plugin string) (*instance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.instances[plugin]
	return in, ok
}

func (in *instance) count(f func(*Stats)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f(&in.stats)
}

func (s *Server) accept(in *instance) {
	for {
		c, err := in.ln.AcceptUnix()
		if err != nil {
			if in.ctx.Err() != nil {
				return
			}
			// Out of descriptors, most likely: those in use go on.
			s.log.Warn("media socket: accept", "plugin", in.plugin, "err", err)
			select {
			case <-in.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		if in.open.Load() >= maxWaiting {
			in.count(func(st *Stats) { st.Refused++ })
			_ = c.Close()
			continue
		}
		in.open.Add(1)
		in.wg.Go(func() {
			defer in.open.Add(-1)
			stop := context.AfterFunc(in.ctx, func() { _ = c.Close() })
			defer stop()
			defer c.Close()
			s.serve(in, c)
		})
	}
}

// serve is the life of one connection.
func (s *Server) serve(in *instance, c *net.UnixConn) {
	log := s.log.With("plugin", in.plugin)
	if err := checkPeer(c); err != nil {
		in.count(func(st *Stats) { st.Refused++ })
		log.Warn("media socket: refused", "err", err)
		return
	}
	token, err := av.ReadHello(c)
	if err != nil {
		in.count(func(st *Stats) { st.Refused++ })
		log.Debug("media socket: hello", "err", err)
		return
	}
	if in.open.Load() > maxConns {
		s.refuse(in, c, av.StatusBusy, av.Answer{Code: "E-MEDIA-LIMIT",
			Reason: fmt.Sprintf("more than %d media connections", maxConns), Hint: "close readers and publishers that are not needed"})
		return
	}
	t, ok := in.redeem(token)
	if t != nil && t.used != nil {
		defer close(t.used)
	}
	if !ok {
		s.refuse(in, c, av.StatusRefused, av.Answer{Code: "E-MEDIA-TOKEN",
			Reason: "the token is unknown, was used, or is older than 10 s", Hint: "ask the hub for a new one for each connection"})
		return
	}
	log = log.With("camera", t.grant.Camera, "stream", t.grant.Stream)
	in.count(func(st *Stats) { st.Let++ })
	switch {
	case t.picture != nil:
		err = sendPicture(in.ctx, c, t)
	case t.deliver != nil:
		err = takePicture(c, t)
	case t.grant.Direction == av.Publish:
		err = s.publish(c, t.grant)
	default:
		if t.grant.Begun != nil {
			t.grant.Begun()
		}
		err = s.read(in, c, t.grant)
		if t.grant.Ended != nil {
			t.grant.Ended("the plugin's connection has ended")
		}
	}
	if err == nil || in.ctx.Err() != nil {
		return
	}
	var bad *badFrame
	if errors.As(err, &bad) {
		in.count(func(st *Stats) { st.Broken++ })
		log.Warn("media socket: connection closed", "code", bad.Code(), "err", err)
		return
	}
	log.Info("media socket: connection ended", "direction", t.grant.Direction, "err", err)
}

func (s *Server) refuse(in *instance, c net.Conn, st av.Status, a av.Answer) {
	in.count(func(st *Stats) { st.Refused++ })
	if err := av.WriteAnswer(c, st, a); err != nil {
		s.log.Debug("media socket: answer", "plugin", in.plugin, "err", err)
	}
}
