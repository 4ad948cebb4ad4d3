package registry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/proto"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// askTime bounds one question to a plugin.
	askTime = 10 * time.Second
	// asksAtOnce, so that a house full of cameras does not start with a storm.
	asksAtOnce = 4
	// maxDescription is more than any device has to say: it is kept, and told to every bridge.
	maxDescription = 8 << 10
	// described is the note's name.
	described = "device"
)

// ErrNothing: the plugin tells nothing of its devices.
var ErrNothing = errors.New("nothing is told of the device")

// retry is the wait after a question that was not answered.
func retry(tries int) time.Duration {
	steps := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}
	return steps[min(tries, len(steps)-1)]
}

// DescriberOptions of NewDescriber.
type DescriberOptions struct {
	// Ask asks the plugin what a device is. ErrNothing: it tells nothing; any other error:
	// it is asked again.
	Ask   func(ctx context.Context, plugin, device string) (*pb.DeviceDescription, error)
	Notes *Notes
	// Changed: a device is described otherwise now. It must not block.
	Changed func()
	Log     *slog.Logger
}

// Describer knows what each device is and can do, by the word of its plugin. The last
// word is kept over restarts, so that a bridge shows the same device before the plugin
// has spoken. Safe for concurrent use.
type Describer struct {
	o    DescriberOptions
	turn *semaphore.Weighted
	kick chan struct{} // 1: a change is noticed once, however many there were

	mu      sync.Mutex
	devices map[string]*portrayed
}

// portrayed is one device.
type portrayed struct {
	plugin string
	is     *pb.DeviceDescription // nil: nothing is known
	due    time.Time             // of the next question; zero: none
	asking bool
	again  bool // somebody wants to know while a question is under way
	tries  int
}

// kept is a description with whose word it is.
type kept struct {
	Plugin string `json:"plugin"`
	Device []byte `json:"device"`
}

// NewDescriber makes one that knows no device.
func NewDescriber(o DescriberOptions) *Describer {
	return &Describer{o: o, turn: semaphore.NewWeighted(asksAtOnce), kick: make(chan struct{}, 1), devices: map[string]*portrayed{}}
}

// Apply replaces the devices, each with the plugin that speaks for it. One that stays
// keeps its description.
func (d *Describer) Apply(devices map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := make(map[string]*portrayed, len(devices))
	for id, plugin := range devices {
		p := d.devices[id]
		if p == nil || p.plugin != plugin {
			p = &portrayed{plugin: plugin, is: d.recall(id, plugin)}
		}
		next[id] = p
	}
	d.devices = next
}

func (d *Describer) recall(id, plugin string) *pb.DeviceDescription {
	var k kept
	if !d.o.Notes.Get(id, described, &k) || k.Plugin != plugin || len(k.Device) == 0 {
		return nil
	}
	m := &pb.DeviceDescription{}
	if proto.Unmarshal(k.Device, m) != nil {
		return nil
	}
	return m
}

// Of is what is known of a device; nil: nothing. It is not to be changed.
func (d *Describer) Of(id string) *pb.DeviceDescription {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.devices[id]; p != nil {
		return p.is
	}
	return nil
}

// Configured asks for all devices of a plugin: it has taken its config.
func (d *Describer) Configured(plugin string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.devices {
		if p.plugin == plugin {
			p.want()
		}
	}
	d.wake()
}

// Again asks for one device: its plugin says that it is another now.
func (d *Describer) Again(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.devices[id]; p != nil {
		p.want()
		d.wake()
	}
}

// want needs the lock.
func (p *portrayed) want() {
	p.due, p.tries, p.again = time.Now(), 0, p.asking
}

func (d *Describer) wake() {
	select {
	case d.kick <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Serve asks until ctx ends.
func (d *Describer) Serve(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		timer := time.NewTimer(d.askDue(ctx, &work))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-d.kick:
			timer.Stop()
		}
	}
}

// askDue begins what is due and tells when to look again.
func (d *Describer) askDue(ctx context.Context, work *sync.WaitGroup) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := time.Hour // nothing is due; a change wakes it
	for _, id := range slices.Sorted(maps.Keys(d.devices)) {
		p := d.devices[id]
		if p.due.IsZero() || p.asking {
			continue
		}
		if wait := time.Until(p.due); wait > 0 {
			next = min(next, wait)
			continue
		}
		p.asking, p.due = true, time.Time{}
		work.Go(func() { d.ask(ctx, id, p) })
	}
	return next
}

func (d *Describer) ask(ctx context.Context, id string, p *portrayed) {
	if d.turn.Acquire(ctx, 1) != nil {
		return // it is ending
	}
	defer d.turn.Release(1)
	within, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := d.o.Ask(within, p.plugin, id)
	switch {
	case errors.Is(err, ErrNothing):
		m, err = nil, nil
	case err == nil && proto.Size(m) > maxDescription:
		d.o.Log.Warn("a device's description is too long and is not taken", "device", id, "plugin", p.plugin, "bytes", proto.Size(m))
		m = nil
	}
	d.mu.Lock()
	changed := err == nil && d.devices[id] == p && !proto.Equal(p.is, m)
	if changed {
		p.is = m
	}
	d.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		d.o.Log.Debug("a device is not described yet", "device", id, "plugin", p.plugin, "err", err)
	}
	if changed {
		d.keep(ctx, id, p.plugin, m)
		d.o.Changed()
	}
	d.asked(p, err == nil)
}

func (d *Describer) asked(p *portrayed, answered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.asking = false
	if !answered {
		p.due = time.Now().Add(retry(p.tries))
		p.tries++
	}
	if p.again {
		p.again, p.due = false, time.Now()
	}
	d.wake()
}

// keep is called for one device at a time: while it is asked, no other question is under way.
func (d *Describer) keep(ctx context.Context, id, plugin string, m *pb.DeviceDescription) {
	k := kept{Plugin: plugin}
	var err error
	if m != nil {
		k.Device, err = proto.Marshal(m)
	}
	if err == nil {
		err = d.o.Notes.Put(ctx, id, described, k)
	}
	if err != nil && ctx.Err() == nil {
		d.o.Log.Warn("what a device is was not kept; its plugin is asked at the next start", "device", id, "err", err)
	}
}
