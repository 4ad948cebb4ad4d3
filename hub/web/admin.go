package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// ServeAdmin answers on the admin socket until ctx ends: the same API for the owner,
// without a login, to processes of the same user on the same machine. Plugins are of
// the same user; they are told apart by who started them.
func (s *Server) ServeAdmin(ctx context.Context) error {
	ln, err := s.listenAdmin(ctx)
	if err != nil {
		return err
	}
	return s.serve(ctx, site{ln, s.admin})
}

func (s *Server) listenAdmin(ctx context.Context) (net.Listener, error) {
	socket, pointer, err := client.AdminSocket(s.deps.DataDir)
	if err != nil {
		return nil, err
	}
	run := filepath.Join(s.deps.DataDir, "run")
	for _, dir := range []string{run, filepath.Dir(socket)} {
		if err := privateDir(dir); err != nil {
			return nil, err
		}
	}
	// The data folder is locked by this hub, so a socket here is of one that died.
	for _, old := range []string{socket, filepath.Join(run, "admin.path")} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("admin socket: remove the old one: %w", err)
		}
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), ln.Close())
	}
	if pointer != "" {
		if err := os.WriteFile(pointer, []byte(socket+"\n"), 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("admin socket: %w", err), ln.Close())
		}
	}
	return ln, nil
}

// privateDir makes a folder that nobody else can enter, before anything is put there.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		return fmt.Errorf("admin socket: %s is not a folder of ours", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	return nil
}

func (s *Server) buildAdmin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(api.Prefix+"/", s.api.AdminHandler())
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /metrics", s.metricsPage)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return s.caught(bounded(s.asOwner(mux)))
}

// asOwner lets in who the kernel says may come in.
func (s *Server) asOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkPeer(r); err != nil {
			s.deps.Log.Warn("admin socket: peer refused", "err", err)
			api.NewProblem(http.StatusForbidden, "E-WEB-PEER", "the admin socket is for the user who runs the hub, and not for plugins",
				"Run the command as the user who runs the hub.").Write(w)
			return
		}
		id, err := s.deps.Access.SocketIdentity(r.Context())
		if err != nil {
			api.Describe(err).Write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), id)))
	})
}

func (s *Server) checkPeer(r *http.Request) error {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		return errors.New("the kernel does not tell who it is")
	}
	// Root could read hub.db as well.
	if p.uid != os.Geteuid() && p.uid != 0 {
		return fmt.Errorf("uid %d is not ours", p.uid)
	}
	plugins := map[int]string{}
	for _, x := range s.deps.Rooms.Plugins.Plugins() {
		if x.PID > 0 {
			plugins[x.PID] = x.Name
		}
	}
	chain, whole := ancestry(p.pid)
	if !whole {
		// A plugin could have a process connect, leave the connection to another, and end.
		return fmt.Errorf("process %d has ended, or one that it comes from", p.pid)
	}
	for i, pid := range chain {
		if name, ok := plugins[pid]; ok {
			return fmt.Errorf("process %d is of plugin %s", p.pid, name)
		}
		// The hub adopts what a plugin left behind, and starts nothing but plugins.
		if i > 0 && pid == os.Getpid() {
			return fmt.Errorf("process %d comes from the hub itself, as plugins do", p.pid)
		}
	}
	return nil
}

// peer is the process at the other end of a socket of this machine.
type peer struct{ uid, pid int }

type peerKey struct{}

// withPeer notes for each connection who is at its other end.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	p, err := peerOf(u)
	if err != nil {
		return ctx // refused at the first request
	}
	return context.WithValue(ctx, peerKey{}, p)
}
