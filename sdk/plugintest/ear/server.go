package ear

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// Rate of what is recorded, in Hz, one channel.
	Rate = 48000
	// loudspeaker is the null sink's name in the server.
	loudspeaker = "porch"
	// patience bounds a wait: far longer than anything takes, so that only what hangs fails.
	patience = 30 * time.Second
)

// Server is a sound server in a runtime folder of its own, laid out as on a desktop:
// who has Env finds it without further hints.
type Server struct {
	Dir    string // stands for the user's home and the session's runtime folder
	Socket string
	tb     testing.TB
	cmd    *exec.Cmd // nil: it does not run
}

// Open starts a server that ends with the test. Where PulseAudio is not installed the
// test is skipped, or fails in CI.
func Open(tb testing.TB) *Server {
	tb.Helper()
	for _, tool := range []string{"pulseaudio", "parec"} {
		if _, err := exec.LookPath(tool); err != nil {
			const install = "apt-get install pulseaudio pulseaudio-utils libasound2-plugins"
			if os.Getenv("CI") != "" {
				tb.Fatalf("%s is not installed: %s", tool, install)
			}
			tb.Skipf("LOUDLY: %s is not installed (%s), the sound is not measured", tool, install)
		}
	}
	dir, err := os.MkdirTemp("", "ear") // short: a socket's path is limited
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Dir: dir, Socket: filepath.Join(dir, "pulse", "native"), tb: tb}
	if err := os.Mkdir(filepath.Dir(s.Socket), 0o700); err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(s.Kill)
	return s
}

// Start runs the server, the first time or again, and waits until it takes connections.
func (s *Server) Start() {
	s.tb.Helper()
	s.cmd = exec.Command("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", "--system=false", "--use-pid-file=no",
		"-L", "module-native-protocol-unix socket="+s.Socket,
		"-L", "module-null-sink sink_name="+loudspeaker+" rate=48000 channels=2")
	s.cmd.Env = s.Env()
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	until(s.tb, "the sound server answers", func() bool {
		c, err := net.Dial("unix", s.Socket)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	_ = s.cmd.Wait()
	_ = os.Remove(s.Socket)
	s.cmd = nil
}

// Env is this process's environment, with the server as the only sound of the machine.
func (s *Server) Env() []string {
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "HOME", strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "PULSE_"), strings.HasPrefix(name, "PIPEWIRE_"), strings.HasPrefix(name, "ALSA_"):
		default:
			out = append(out, kv)
		}
	}
	return append(out, "HOME="+s.Dir, "XDG_RUNTIME_DIR="+s.Dir)
}

func until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}
