package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Bus carries events between plugins.
type Bus interface {
	Publish(ctx context.Context, e event.Event, done func(event.Result, error)) error
	Subscribe(o bus.SubscribeOptions) (*bus.Subscription, error)
}

// Camera is what the host must know of a device.
type Camera struct {
	ID, Name, Kind, Plugin string
	Online, Talk           bool
	// IgnoreOlderThan: a ring older than this is shown, not acted upon; 0: no limit.
	IgnoreOlderThan time.Duration
}

// Cameras of the house.
type Cameras interface {
	Camera(id string) (Camera, bool)
	Cameras() []Camera
	// Detail of one that there is.
	Detail(id string) Detail
	// Saw notes that a camera was heard of.
	Saw(id string, at time.Time)
}

// Supervisor is told when a plugin's manners are too bad to go on.
type Supervisor interface {
	// Overloaded tells that the plugin has been over its rates since then; zero: no longer.
	Overloaded(plugin string, since time.Time, detail string)
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Rates of one plugin, by class.
type Rates struct{ Critical, Normal, State, Debug Rate }

// DefaultRates hold where the owner says nothing: a doorbell is pressed a few
// times a minute; motion of a busy street comes a few times a second.
func DefaultRates() Rates {
	return Rates{Critical: Rate{5, 20}, Normal: Rate{50, 200}, State: Rate{20, 20}, Debug: Rate{100, 100}}
}

// Entry is what the config says of one plugin.
type Entry struct {
	Name   string
	Chimes []string // chimes that name it
	Rates  Rates
}

// Deps are the rooms that the host stands on.
type Deps struct {
	Bus        Bus
	DB         *store.DB
	Cameras    Cameras
	Media      Media
	Talk       Talk  // nil: nobody talks
	House      House // nil: nothing is told of it
	Secrets    Secrets
	Commander  Commander
	Supervisor Supervisor
	// Changed: a device's source or description is another now. It must not block.
	Changed func(device string)
	Log     *slog.Logger
	Now     func() time.Time
}

// Host checks and carries out what plugins ask. Safe for concurrent use.
type Host struct {
	Deps
	repairs *Repairs
	// hops waits for Serve; room for a burst of rings with all their takers.
	hops     chan event.Event
	lostHops atomic.Uint64

	mu       sync.RWMutex
	entries  map[string]*entry
	sessions map[string]*Session
}

// entry is the state of one plugin entry; it outlives the process.
type entry struct {
	Name string // does not change; what else the config says does, under mu

	mu     sync.Mutex
	chimes []string
	rates  Rates
	grant  *pb.Grant
	// permissions are the grant in the manifest's own words, for people.
	permissions manifest.Permissions
	buckets     [5]*rate.Limiter // by class
	// pace bounds how fast each stream is read: a flood stops at the plugin, by flow control.
	pace [2]*rate.Limiter // link, urgent
	// doing bounds what it has others do: each is an event, a write to the disk, a device.
	doing *rate.Limiter

	overSince time.Time
	overLast  time.Time
	overTold  time.Time
	cursors   map[string]struct{} // named in this run, at most maxCursors
	rejected  []time.Time         // of the last minute, at most rejectsForRepair
	counts    map[string]uint64
}

const (
	// doingPerSecond and doingBurst are how often a plugin may silence the house and
	// switch devices: a scene of a whole house at once, and no storm of them.
	doingPerSecond = 2
	doingBurst     = 40

	// readPace is how many messages a second the hub reads from one stream of a
	// plugin. Measured: reading a flood at full speed moves the 99th percentile of
	// another plugin's rings tenfold, reading at this pace does not.
	readPace  = 1000
	readBurst = 256
)

// New makes the host and its tables in hub.db.
func New(ctx context.Context, d Deps) (*Host, error) {
	if err := d.DB.Migrate(ctx, "host", []string{
		`CREATE TABLE plugin_kv (plugin TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (plugin, key)) STRICT, WITHOUT ROWID;`,
	}); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return &Host{Deps: d, repairs: newRepairs(d.Now), hops: make(chan event.Event, 4096), entries: map[string]*entry{}, sessions: map[string]*Session{}}, nil
}

// Repairs are the cards that want a person.
func (h *Host) Repairs() *Repairs { return h.repairs }

// Apply replaces what the config says of the plugins. Grants and counters of an
// entry that stays are kept.
func (h *Host) Apply(list []Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]*entry, len(list))
	for _, e := range list {
		n, ok := h.entries[e.Name]
		if !ok {
			n = &entry{Name: e.Name, counts: map[string]uint64{}, cursors: map[string]struct{}{}}
		}
		n.setEntry(e)
		next[e.Name] = n
	}
	h.entries = next
}

func (n *entry) setEntry(e Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chimes = slices.Clone(e.Chimes)
	if n.buckets[event.ClassCritical] != nil && n.rates == e.Rates {
		return
	}
	if n.doing == nil {
		n.doing = rate.NewLimiter(doingPerSecond, doingBurst)
	}
	n.rates = e.Rates
	total := 0.0
	for class, r := range map[event.Class]Rate{event.ClassCritical: e.Rates.Critical, event.ClassNormal: e.Rates.Normal,
		event.ClassState: e.Rates.State, event.ClassDebug: e.Rates.Debug} {
		n.buckets[class] = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		total += r.PerSecond
	}
	// An owner who allows more than the usual pace is read faster: twice what is
	// granted, so that refusals are told and not only felt.
	for i := range n.pace {
		n.pace[i] = rate.NewLimiter(rate.Limit(max(readPace, 2*total)), max(readBurst, e.Rates.Critical.Burst+e.Rates.Normal.Burst))
	}
}

func (h *Host) entry(plugin string) (*entry, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n, ok := h.entries[plugin]
	return n, ok
}

func (n *entry) granted() *pb.Grant {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.grant
}

func (n *entry) paceOf(lane int) *rate.Limiter {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pace[lane]
}

// plays tells whether the chime names the plugin.
func (n *entry) plays(chime string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.chimes, chime)
}

// owns tells whether a plugin speaks for a camera.
func (h *Host) owns(plugin, camera string) bool {
	c, ok := h.Cameras.Camera(camera)
	return ok && c.Plugin == plugin
}

// Counts tells how often what was refused a plugin, by reason.
func (h *Host) Counts(plugin string) map[string]uint64 {
	n, ok := h.entry(plugin)
	if !ok {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]uint64, len(n.counts))
	for k, v := range n.counts {
		out[k] = v
	}
	return out
}

// Flooding names the plugins that are over their rates now.
func (h *Host) Flooding() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []string
	for name, n := range h.entries {
		n.mu.Lock()
		if !n.overSince.IsZero() && h.Now().Sub(n.overLast) < overGap {
			out = append(out, name)
		}
		n.mu.Unlock()
	}
	slices.Sort(out)
	return out
}
