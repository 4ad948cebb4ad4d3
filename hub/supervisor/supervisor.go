package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/child"
	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// tidyEvery is how often ends of adopted grandchildren are taken.
const tidyEvery = 5 * time.Second

// Options of a supervisor.
type Options struct {
	Exe           string   // the hub's binary; empty: the running one, held open whatever becomes of its file
	RunDir        string   // for instance directories; empty or too long for sockets: a short one is chosen
	PluginDataDir string   // parent of each plugin's own folder
	PluginPath    []string // where bundled plugins with a binary of their own are looked for
	Host          Host
	Log           *slog.Logger
	HubVersion    string
	HubName       string
	Timezone      string
	HubFeatures   []string
	Mask          func(string) string // makes secrets unreadable in plugins' log lines
	Clock         Clock

	noWalls bool // tests only: as on a machine without PID namespaces
}

// Supervisor owns all plugin processes of a hub.
type Supervisor struct {
	o     Options
	log   *slog.Logger
	place *child.Place

	sampler runner.Sampler

	mu        sync.Mutex
	instances map[string]*instance
	spawn     func(*instance) // nil until Serve runs, and after
	closed    bool
	closing   sync.Once
}

// New opens the hub's binary and the run directory, and clears away what dead hubs
// left. Serve or Close must follow.
func New(o Options) (*Supervisor, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	if o.Mask == nil {
		o.Mask = func(s string) string { return s }
	}
	s := &Supervisor{o: o, log: o.Log.With("part", "supervisor"), instances: map[string]*instance{}}
	var err error
	s.place, err = child.Open(child.Options{
		Exe: o.Exe, RunDir: o.RunDir, DataDir: o.PluginDataDir, PluginPath: o.PluginPath, NoWalls: o.noWalls, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close releases what New took. Serve does it at its end.
func (s *Supervisor) Close() {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.place.Close()
	})
}

// Serve runs the instances until ctx ends, and returns when all have stopped.
func (s *Supervisor) Serve(ctx context.Context) error {
	defer s.Close()
	var lives sync.WaitGroup
	s.mu.Lock()
	if s.closed || s.spawn != nil {
		s.mu.Unlock()
		return errors.New("supervisor: serve: it has run before")
	}
	s.spawn = func(i *instance) {
		i.spawned = true
		lives.Go(func() { i.serve(ctx) })
	}
	for _, i := range s.instances {
		s.spawn(i)
	}
	s.mu.Unlock()
	s.tidy(ctx)
	s.mu.Lock()
	s.spawn = nil
	s.mu.Unlock()
	lives.Wait()
	return nil
}

func (s *Supervisor) tidy(ctx context.Context) {
	var strays map[int]uint64
	for {
		fired, stop := s.o.Clock.After(tidyEvery)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-fired:
			strays = runner.ReapStrays(strays)
		}
	}
}

// Apply makes specs the wanted set. It returns when what is no longer wanted has
// stopped; starts and new configs go on by themselves, and Status tells of them.
// Entries that are the same are not touched.
func (s *Supervisor) Apply(ctx context.Context, specs []Spec) error {
	if s.o.Host == nil {
		return errors.New("supervisor: apply: no host")
	}
	wanted := map[string]Spec{}
	for _, spec := range specs {
		if spec.Name == "" {
			return errors.New("supervisor: apply: an entry without a name")
		}
		if _, twice := wanted[spec.Name]; twice {
			return fmt.Errorf("supervisor: apply: %s is there twice", spec.Name)
		}
		wanted[spec.Name] = spec.withDefaults()
	}
	s.mu.Lock()
	var gone []*instance
	for name, i := range s.instances {
		if _, ok := wanted[name]; !ok {
			delete(s.instances, name)
			if i.spawned {
				gone = append(gone, i)
			}
		}
	}
	s.mu.Unlock()
	for _, i := range gone {
		i.leave()
	}
	for _, i := range gone {
		select {
		case <-i.ended:
		case <-ctx.Done():
			return fmt.Errorf("supervisor: apply: %s: stop: %w", i.name, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if i, ok := s.instances[name]; ok {
			i.want(wanted[name])
			continue
		}
		i := newInstance(s, wanted[name])
		s.instances[name] = i
		if s.spawn != nil {
			s.spawn(i)
		}
	}
	return nil
}

// Status of all plugins, by name.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.instances))
	s.mu.Unlock()
	list := make([]Status, 0, len(all))
	for _, i := range all {
		list = append(list, i.status())
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Plugin is the status of one; false: no entry has this name.
func (s *Supervisor) Plugin(name string) (Status, bool) {
	i, err := s.instance(name)
	if err != nil {
		return Status{}, false
	}
	return i.status(), true
}

// Restart starts a plugin again, whatever state it is in, and forgets its deaths.
func (s *Supervisor) Restart(_ context.Context, name string) error {
	i, err := s.instance(name)
	if err != nil {
		return err
	}
	i.askRestart()
	return nil
}

// Logs gives the last n lines of a plugin, oldest first; n <= 0: all that are kept.
func (s *Supervisor) Logs(name string, n int) []LogLine {
	i, err := s.instance(name)
	if err != nil {
		return nil
	}
	return i.book.last(n)
}

// Description is what the plugin last said of itself.
func (s *Supervisor) Description(name string) (*pb.Description, bool) {
	i, err := s.instance(name)
	if err != nil {
		return nil, false
	}
	d := i.description()
	return d, d != nil
}

// Command asks a plugin for something and waits for its answer until ctx ends
// (10 s where it has no end). Sounds go over the urgent stream.
func (s *Supervisor) Command(ctx context.Context, plugin string, c *pb.Command) (*pb.Reply, error) {
	i, err := s.instance(plugin)
	if err != nil {
		return nil, err
	}
	return i.command(ctx, c)
}

// Describe starts a plugin for its description only, beside any that runs.
func (s *Supervisor) Describe(ctx context.Context, spec Spec) (*pb.Description, error) {
	spec = spec.withDefaults()
	dir, err := os.MkdirTemp(s.place.Path(), "d")
	if err != nil {
		return nil, fmt.Errorf("supervisor: describe %s: %w", spec.Name, err)
	}
	defer os.RemoveAll(dir)
	p, f := s.place.Start(ctx, spec.want(), dir, func(runner.Line) {})
	if f != nil {
		return nil, fmt.Errorf("plugin %s: %w", spec.Name, f)
	}
	defer p.End()
	d, f := p.Describe(ctx, s.o.HubVersion, s.o.HubFeatures)
	if f != nil {
		return nil, fmt.Errorf("plugin %s: %w", spec.Name, f)
	}
	return d, nil
}

func (s *Supervisor) instance(name string) (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.instances[name]
	if !ok {
		return nil, fault.New(fault.Unknown, "`porchlight plugins ls` shows all", "no plugin is called %q", name)
	}
	return i, nil
}

// Exec is the launcher's main: `porchlight plugin exec`.
func Exec(args []string) int { return launch.Exec(args) }
