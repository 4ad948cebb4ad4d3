package child

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
)

// Options of a place.
type Options struct {
	Exe        string   // the hub's binary; empty: the running one
	RunDir     string   // parent of the instance directories
	DataDir    string   // parent of the plugins' own folders
	PluginPath []string // where bundled plugins with a binary of their own are looked for
	NoWalls    bool     // start without PID namespaces, as a machine that has none
	Log        *slog.Logger
}

// Want is what is to run. See supervisor.Spec for the fields.
type Want struct {
	Name, Builtin, Path, Binary, SHA256 string
	Reach                               []string
	Sandbox                             string
	Memory                              int64 // bytes
	Files                               int
	FileSize                            int64         // bytes
	Within                              time.Duration // until the handshake
}

// Place is where plugins run: the hub's binary held open, the run directory, and the
// thread that forks.
type Place struct {
	o      Options
	self   *os.File // the hub's binary
	beside string   // its directory
	dir    *runDir
	fork   *runner.Starter
}

// Open opens the hub's binary and the run directory, and clears away what dead hubs
// left. Close ends all that was started.
func Open(o Options) (*Place, error) {
	p := &Place{o: o}
	var err error
	if o.Exe != "" {
		p.self, err = os.Open(o.Exe)
		p.beside = filepath.Dir(o.Exe)
	} else {
		p.self, err = runner.OpenSelf()
		if path, err := os.Executable(); err == nil {
			p.beside = filepath.Dir(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("supervisor: open the hub's binary: %w", err)
	}
	if p.dir, err = openRunDir(o.RunDir, o.Log); err != nil {
		p.self.Close()
		return nil, err
	}
	if err := runner.Adopt(); err != nil {
		o.Log.Warn("orphans of plugins cannot be adopted; a grandchild may outlive its plugin", "err", err)
	}
	p.fork = runner.NewStarter(!o.NoWalls)
	return p, nil
}

// Close ends the thread that forks, and with it what still runs, and removes the run directory.
func (p *Place) Close() {
	p.fork.Close()
	p.dir.close()
	p.self.Close()
}

// Path of the run directory.
func (p *Place) Path() string { return p.dir.path }

// Instance makes the directory of one life of a plugin, empty and 0700.
func (p *Place) Instance(name string) (string, error) { return p.dir.instance(name) }

// DataDir is a plugin's own folder.
func (p *Place) DataDir(name string) string {
	// A name from the config has passed its schema; Base keeps even another one inside.
	joined := filepath.Join(p.o.DataDir, filepath.Base(name))
	if dir, err := filepath.Abs(joined); err == nil {
		return dir
	}
	return joined
}
