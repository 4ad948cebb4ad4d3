package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

// open finds what a spec runs and holds it open. The caller closes the target's
// file, unless it is the hub's own.
func (s *Supervisor) open(spec Spec) (*launch.Target, []string, *Failure) {
	switch {
	case spec.Path != "":
		t, err := launch.Open(spec.Path, spec.SHA256)
		return t, []string{spec.Path}, targetFailure(err)
	case spec.Binary != "":
		path, looked := s.find(spec.Binary)
		if path == "" {
			return nil, nil, fail(codeNotFound, "build it with `make run` (it needs a C compiler), or set hub.plugin_path",
				"the binary %s is in none of %s", spec.Binary, strings.Join(looked, ", ")).block()
		}
		t, err := launch.Open(path, "")
		return t, []string{path}, targetFailure(err)
	case spec.Builtin != "":
		return &launch.Target{File: s.self}, []string{"porchlight", "plugin", "run", spec.Builtin}, nil
	default:
		return nil, nil, fail(codeNotFound, "name a bundled plugin or give a path", "the entry says neither builtin nor path").block()
	}
}

// find looks for a bundled binary: hub.plugin_path, beside the hub's binary, ./bin.
func (s *Supervisor) find(binary string) (path string, looked []string) {
	dirs := append([]string{}, s.o.PluginPath...)
	if s.beside != "" {
		dirs = append(dirs, s.beside)
	}
	dirs = append(dirs, "bin")
	for _, d := range dirs {
		candidate := filepath.Join(d, binary)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate, nil
		}
		looked = append(looked, d)
	}
	return "", looked
}

func targetFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	var t *launch.TargetError
	if !errors.As(err, &t) {
		return fail(codeStart, "", "%v", err).because(err)
	}
	var f *Failure
	switch t.Fault {
	case launch.NotFound:
		f = fail(codeNotFound, "check the path in the config", "%v", t)
	case launch.NotExecutable:
		f = fail(codeNotExecutable, "chmod +x "+quote(t.Path), "%v", t)
	case launch.WrongArch:
		f = fail(codeArch, "get the build for "+t.Want+" (`file "+quote(t.Path)+"` shows what this one is)", "%v", t)
	case launch.MissingLoader:
		f = fail(codeLoader, "install what provides "+t.Want+", or get a static build (Go: CGO_ENABLED=0)", "%v", t)
	case launch.WrongHash:
		f = fail(codeHash, "if you changed the file yourself, put its new sha256 into the config; otherwise do not run it", "%v", t)
	}
	return f.block().because(err)
}

// quote makes a path fit for a shell, for commands that people copy.
func quote(path string) string {
	if strings.ContainsAny(path, " \t'\"\\$`!*?[](){}<>|&;#~\n") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
