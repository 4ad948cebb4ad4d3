package supervisor

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/hub/supervisor/child"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Spec is one plugin entry as the config wants it. Exactly one of Builtin, Path and
// Binary says what runs; Binary may stand beside Builtin (a bundled plugin with a
// binary of its own).
type Spec struct {
	Name    string // the entry's name in the config
	Builtin string // name for `porchlight plugin run`
	Path    string // an executable of the owner's
	Binary  string // file name of a bundled plugin's own binary, looked for in Options.PluginPath
	SHA256  string // of Path, in hex; empty: any

	Disabled bool
	Optional bool // its failure is a warning
	// Reach opens things of this machine that the empty environment hides. "audio":
	// the variables that lead to the user's sound server. From the manifest's
	// `devices`, as far as it was granted.
	Reach []string

	Config      json.RawMessage
	Devices     []*pb.DeviceEntry
	Permissions json.RawMessage // the YAML's; the host reads them

	Limits  Limits
	Health  Health
	Restart Restart
	Sandbox string // required, best-effort (default)
}

// Limits of the process. A zero takes the default of this package.
type Limits struct {
	Memory    int64         // bytes (PSS of the process); default 512 MiB
	CPU       int           // per cent of one core; zero: not watched
	Processes int           // kept for the sandbox's cgroup layer
	Files     int           // descriptors; default 256
	FileSize  int64         // bytes of one file; default 64 MiB
	Start     time.Duration // until the handshake line; default 10 s, bundled 3 s
}

// Health says how often the plugin is asked, and how many answers may be missing.
type Health struct {
	Every  time.Duration // default 5 s
	Misses int           // default 3
}

// Restart is the ladder: after Max restarts within Per the plugin has failed.
type Restart struct {
	Max     int           // default 5
	Per     time.Duration // default 10 min
	First   time.Duration // default 100 ms
	Longest time.Duration // default 60 s
}

// The defaults of the limits.
const (
	defaultMemory   = 512 << 20
	defaultFiles    = 256
	defaultFileSize = 64 << 20
	startPath       = 10 * time.Second
	startBundled    = 3 * time.Second
)

func (s Spec) withDefaults() Spec {
	or(&s.Limits.Memory, defaultMemory)
	or(&s.Limits.Files, defaultFiles)
	or(&s.Limits.FileSize, defaultFileSize)
	if s.Path != "" {
		or(&s.Limits.Start, startPath)
	}
	or(&s.Limits.Start, startBundled)
	or(&s.Health.Every, 5*time.Second)
	or(&s.Health.Misses, 3)
	or(&s.Restart.Max, 5)
	or(&s.Restart.Per, 10*time.Minute)
	or(&s.Restart.First, 100*time.Millisecond)
	or(&s.Restart.Longest, time.Minute)
	return s
}

// want is what of it concerns the process.
func (s Spec) want() child.Want {
	return child.Want{
		Name: s.Name, Builtin: s.Builtin, Path: s.Path, Binary: s.Binary, SHA256: s.SHA256, Reach: s.Reach, Sandbox: s.Sandbox,
		Memory: s.Limits.Memory, Files: s.Limits.Files, FileSize: s.Limits.FileSize, Within: s.Limits.Start,
	}
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// sameProcess: the running process serves b as well as a.
func sameProcess(a, b Spec) bool {
	return a.Name == b.Name && a.Builtin == b.Builtin && a.Path == b.Path && a.Binary == b.Binary &&
		a.SHA256 == b.SHA256 && a.Disabled == b.Disabled && a.Sandbox == b.Sandbox &&
		a.Limits == b.Limits && slices.Equal(a.Reach, b.Reach)
}

// sameConfig: the plugin and the host need not hear of b.
func sameConfig(a, b Spec) bool {
	return sameJSON(a.Config, b.Config) && sameJSON(a.Permissions, b.Permissions) &&
		slices.EqualFunc(a.Devices, b.Devices, func(x, y *pb.DeviceEntry) bool { return proto.Equal(x, y) })
}

// sameWatch: health, ladder and optional are only read by the instance itself.
func sameWatch(a, b Spec) bool {
	return a.Health == b.Health && a.Restart == b.Restart && a.Optional == b.Optional
}

// sameJSON compares by value as far as white space goes; a key order that changed
// counts as a change, which costs one Configure.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
