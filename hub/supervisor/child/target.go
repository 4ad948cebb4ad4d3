package child

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

// open finds what runs and holds it open. The caller closes the target's
// file, unless it is the hub's own.
func (p *Place) open(w Want) (*launch.Target, []string, *fault.Failure) {
	switch {
	case w.Path != "":
		t, err := launch.Open(w.Path, w.SHA256)
		return t, []string{w.Path}, targetFailure(err)
	case w.Binary != "":
		path, looked := p.find(w.Binary)
		if path == "" {
			return nil, nil, fault.New(fault.NotFound, "build it with `make run`, which needs a C compiler, pkg-config and ALSA's headers (Debian: gcc, pkg-config, libasound2-dev); or name its folder in hub.plugin_path",
				"the binary %s is in none of %s", w.Binary, strings.Join(looked, ", ")).Block()
		}
		t, err := launch.Open(path, "")
		return t, []string{path}, targetFailure(err)
	case w.Builtin != "":
		return &launch.Target{File: p.self}, []string{"porchlight", "plugin", "run", w.Builtin}, nil
	default:
		return nil, nil, fault.New(fault.NotFound, "name a bundled plugin or give a path", "the entry says neither builtin nor path").Block()
	}
}

// find looks for a bundled binary: hub.plugin_path, beside the hub's binary, ./bin.
func (p *Place) find(binary string) (path string, looked []string) {
	dirs := append([]string{}, p.o.PluginPath...)
	if p.beside != "" {
		dirs = append(dirs, p.beside)
	}
	dirs = append(dirs, "bin")
	for _, d := range dirs {
		if abs, err := filepath.Abs(d); err == nil {
			d = abs
		}
		if slices.Contains(looked, d) {
			continue
		}
		candidate := filepath.Join(d, binary)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate, nil
		}
		looked = append(looked, d)
	}
	return "", looked
}

func targetFailure(err error) *fault.Failure {
	if err == nil {
		return nil
	}
	var t *launch.TargetError
	if !errors.As(err, &t) {
		return fault.New(fault.Start, "", "%v", err).Because(err)
	}
	var f *fault.Failure
	switch t.Fault {
	case launch.NotFound:
		f = fault.New(fault.NotFound, "check the path in the config", "%v", t)
	case launch.NotExecutable:
		f = fault.New(fault.NotExecutable, "chmod +x "+quote(t.Path), "%v", t)
	case launch.WrongArch:
		f = fault.New(fault.WrongArch, "get the build for "+t.Want+" (`file "+quote(t.Path)+"` shows what this one is)", "%v", t)
	case launch.MissingLoader:
		f = fault.New(fault.Loader, "install what provides "+t.Want+", or get a static build (Go: CGO_ENABLED=0)", "%v", t)
	case launch.WrongHash:
		f = fault.New(fault.Hash, "if you changed the file yourself, put its new sha256 into the config; otherwise do not run it", "%v", t)
	}
	return f.Block().Because(err)
}

// quote makes a path fit for a shell, for commands that people copy.
func quote(path string) string {
	if strings.ContainsAny(path, " \t'\"\\$`!*?[](){}<>|&;#~\n") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
