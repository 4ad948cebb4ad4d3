package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/config"
)

// Areas of what is checked, in the order in which it is told.
const (
	Config  = "config"
	Storage = "storage"
	Network = "network"
	TLS     = "tls"
	Clock   = "clock"
	Tools   = "tools"
	Audio   = "audio"
	Plugins = "plugins"
	HomeKit = "homekit"
	Cameras = "cameras"
)

// Areas lists them all.
func Areas() []string {
	return []string{Config, Storage, Network, TLS, Clock, Tools, Audio, Plugins, HomeKit, Cameras}
}

// State of a finding.
type State string

// States. Skip: it could not be looked at, or there is nothing to look at.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
	Skip State = "skip"
)

// Finding is one line of the doctor.
type Finding struct {
	Area  string `json:"area"`
	State State  `json:"state"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"`  // why it matters
	Fix   string `json:"fix,omitempty"`  // the exact thing to do
	Code  string `json:"code,omitempty"` // Explain tells more
}

// Deps is the house as the doctor finds it. Zero fields are not looked at.
type Deps struct {
	File     string           // the YAML; empty: the demo
	Config   *config.Config   // what is in force; nil: nothing could be read
	Problems []config.Problem // of File as it is now
	DataDir  string

	// Address is where the running hub listens; empty: none runs.
	Address string
	// Ways tells what hinders the ways into the running hub; nil: none runs.
	Ways func() []Finding
	// Listen opens an address as a hub that starts would; for when none runs.
	Listen func(ctx context.Context, addr string, beyond bool) (net.Listener, error)
	// Plugins tells how they are; nil: no hub runs.
	Plugins func() []Plugin
	// SelfCheck lets a running plugin examine itself; no lines where it cannot do that.
	// nil: nobody is asked.
	SelfCheck func(ctx context.Context, plugin string) ([]CheckLine, error)
	// Look looks at a camera of the config; it may take long and keeps to ctx. It does
	// not try a password again that was refused a while ago.
	Look func(ctx context.Context, camera string) []Stream

	FFmpeg  string           // the program; empty: by PATH
	Secrets []string         // shown nowhere, as are Config's own
	Now     func() time.Time // nil: time.Now
	Root    string           // where /dev, /proc and /sys are, for tests; empty: /
}

// Plugin is how one of them is.
type Plugin struct {
	Name, State, Code, Reason, Fix string
	ID                             string // of its manifest; empty before it has started once
	Optional                       bool
	Missing                        []string // what it lacks on this machine
}

// CheckLine is a plugin's own word of how it is.
type CheckLine struct {
	State          string // ok, warn, fail
	What, Why, Fix string
}

func (d *Deps) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d *Deps) root(path string) string { return filepath.Join(cmp.Or(d.Root, "/"), path) }

// Check looks at the areas, none: at all of them, and gives at least one finding of
// each, in the order of Areas. It takes as long as the slowest camera.
func Check(ctx context.Context, d Deps, areas ...string) []Finding {
	looks := map[string]func(context.Context, *Deps) []Finding{
		Config: checkConfig, Storage: checkStorage, Network: checkNetwork, TLS: checkTLS, Clock: checkClock,
		Tools: checkTools, Audio: checkAudio, Plugins: checkPlugins, HomeKit: checkHomeKit, Cameras: checkCameras,
	}
	found := make([][]Finding, len(Areas()))
	var all sync.WaitGroup
	for i, area := range Areas() {
		if len(areas) > 0 && !slices.Contains(areas, area) {
			continue
		}
		all.Go(func() {
			found[i] = safely(area, func() []Finding { return looks[area](ctx, &d) })
		})
	}
	all.Wait()
	return mask(&d, slices.Concat(found...))
}

// safely gives the area to its findings, and turns a panic into one.
func safely(area string, look func() []Finding) (out []Finding) {
	defer func() {
		if r := recover(); r != nil {
			out = append(out, Finding{State: Fail, What: fmt.Sprintf("the doctor itself stumbled: %v", r),
				Fix: "please report this line as a bug"})
		}
		for i := range out {
			out[i].Area = area
		}
	}()
	if out = look(); len(out) == 0 {
		out = []Finding{{State: Skip, What: "nothing to look at"}}
	}
	return out
}

// Failed tells whether something must be mended.
func Failed(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.State == Fail })
}

// of makes a finding of an error, with the code and the hint that it carries.
func of(state State, what string, err error, why string) Finding {
	f := Finding{State: state, What: what, Why: why}
	if err == nil {
		return f
	}
	f.What = cmp.Or(what, err.Error())
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		f.Code = coded.Code()
	}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		f.Fix = hint.Hint()
	}
	return f
}
