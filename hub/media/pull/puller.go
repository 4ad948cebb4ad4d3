package pull

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Policies: when a stream is pulled.
const (
	Always   = "always"
	OnDemand = "on_demand" // while somebody wants it, and 30 s longer
	Battery  = "battery"   // when somebody comes or something happens, and never longer than its limit
)

const (
	linger        = 30 * time.Second // nobody wants it any more, but may again
	batteryLinger = 10 * time.Second
	defaultLimit  = time.Minute // of a battery camera
)

// Camera is what is pulled of one camera.
type Camera struct {
	ID      string
	Streams []Stream
	// Policy of streams that have none of their own. Empty or auto: main always, sub on demand.
	Policy   string
	Limit    time.Duration // how long a battery camera is kept awake at a time; 0: 60 s
	Doorbell bool          // goes before others where cameras wait
}

// Stream is one of a camera, main or sub.
type Stream struct {
	Name   string
	Target rtsp.Target
	Policy string
	// Talk: the camera is asked what it takes for talk, which Status tells.
	Talk bool
}

// MemoryStore keeps what worked with a camera, so that the next dial need not find out
// again. The stream's name has something of its address in it: what worked with one path
// says nothing of another.
type MemoryStore interface {
	Load(camera, stream string) rtsp.Memory
	Save(camera, stream string, m rtsp.Memory)
}

// Options of a Puller.
type Options struct {
	Core *media.Core
	// Pull one stream until it ends; rtsp.Pull.
	Pull   func(ctx context.Context, t rtsp.Target, s rtsp.Sink, o rtsp.Options) error
	Memory MemoryStore // nil: forgotten with the puller
	// Redescribe asks the camera's plugin for its source again, since the camera could not
	// be reached or did not let the hub in: it may have another address or login by now.
	// What comes of it is applied. It returns at once. Nil: nobody is asked.
	Redescribe func(camera, why string)
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Puller has the connections to all cameras.
type Puller struct {
	o    Options
	log  *slog.Logger
	gate *gate
	deaf func() // ends hearing of demand
	wg   sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context // of Serve; nil before
	stopped bool
	cameras map[string]*camera
	ending  map[[2]string]chan struct{} // sources whose last connection is being cut
	locks   map[lockKey]lock
	memory  map[[2]string]rtsp.Memory // where Options has no store
	changed chan struct{}             // closed at the next change of a status
}

// camera has its sources by the name of their stream.
type camera struct {
	id       string
	doorbell bool
	limit    time.Duration
	sources  map[string]*source
	asked    time.Time // when its plugin was asked for its source again
}

// New makes a puller that pulls nothing until it is served.
func New(o Options) *Puller {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Puller{o: o, log: o.Log.With("part", "pull"), gate: &gate{free: dials}, cameras: make(map[string]*camera),
		ending: make(map[[2]string]chan struct{}), locks: make(map[lockKey]lock), memory: make(map[[2]string]rtsp.Memory), changed: make(chan struct{})}
	p.deaf = o.Core.OnDemand(p.heard)
	return p
}

// Serve pulls until ctx ends, and returns when all connections are closed.
func (p *Puller) Serve(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	for _, c := range p.cameras {
		for _, s := range c.sources {
			p.wg.Go(func() { s.run(ctx) })
		}
	}
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.deaf()
	p.wg.Wait()
	return ctx.Err()
}

// Apply makes c what is pulled of this camera. A stream whose address and login are as
// before keeps its connection.
func (p *Puller) Apply(c Camera) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cam := p.cameras[c.ID]
	if cam == nil {
		cam = &camera{id: c.ID, sources: make(map[string]*source)}
		p.cameras[c.ID] = cam
	}
	cam.doorbell, cam.limit = c.Doorbell, cmp.Or(max(c.Limit, 0), defaultLimit)
	var names []string
	for _, st := range c.Streams {
		names = append(names, st.Name)
		st.Policy = policyOf(c, st)
		if len(st.Target.Quirks) == 0 {
			st.Target.Quirks = nil // told apart from empty by nobody
		}
		if s := cam.sources[st.Name]; s != nil {
			s.apply(st)
			continue
		}
		s := newSource(p, cam, st)
		cam.sources[st.Name] = s
		if p.ctx != nil && !p.stopped {
			p.wg.Go(func() { s.run(p.ctx) })
		}
	}
	for name, s := range cam.sources {
		if !slices.Contains(names, name) {
			s.end("this stream of the camera is switched off")
		}
	}
	p.signal()
}

func policyOf(c Camera, s Stream) string {
	switch p := cmp.Or(s.Policy, c.Policy); {
	case p != "" && p != "auto":
		return p
	case s.Name == "main":
		return Always
	}
	return OnDemand
}

// Remove ends what is pulled of camera, and forgets its pictures.
func (p *Puller) Remove(camera string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cam := p.cameras[camera]
	if cam == nil {
		return
	}
	for _, s := range cam.sources {
		s.end("the camera was taken out of the config")
	}
	delete(p.cameras, camera)
	maps.DeleteFunc(p.memory, func(k [2]string, _ rtsp.Memory) bool { return k[0] == camera })
	p.o.Core.Remove(camera, "the camera was taken out of the config")
	p.signal()
}

// Retry tries now, whatever the next try was to be, also with a password that was refused.
func (p *Puller) Retry(camera string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cam := p.cameras[camera]
	if cam == nil {
		return
	}
	maps.DeleteFunc(p.locks, func(k lockKey, _ lock) bool { return k.camera == camera })
	now := p.o.Now()
	for _, s := range cam.sources {
		delete(p.locks, lockKey{address: addressOf(s.target), login: loginOf(s.target)})
		s.failures, s.nextTry = 0, time.Time{}
		s.arrive(now)
		s.stay(now.Add(linger))
		s.look()
	}
}

// Wake has the camera's main stream come for half a minute, since something happens there.
func (p *Puller) Wake(camera string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cam := p.cameras[camera]
	if cam == nil {
		return
	}
	s := cam.sources["main"]
	if s == nil {
		return
	}
	now := p.o.Now()
	s.arrive(now)
	s.stay(now.Add(linger))
	s.look()
}

// heard takes what the core tells of readers.
func (p *Puller) heard(d media.Demand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cam := p.cameras[d.Camera]
	if cam == nil {
		return
	}
	s := cam.sources[d.Stream]
	if s == nil {
		return
	}
	now := p.o.Now()
	s.wanting = d.N
	switch {
	case d.Why != "":
		s.arrive(now)
	case d.N == 0:
		s.stay(now.Add(s.linger()))
	}
	s.look()
}

// Status of one stream that is pulled.
type Status struct {
	Camera, Stream string
	// State is off (nobody wants it), connecting, live, waiting (for NextTry), locked (the
	// password was refused), or pushed (somebody else sends it).
	State             string
	Code, Reason, Fix string
	Since, NextTry    time.Time
	Policy            string
	Address           string // host and port
	Transport, Server string
	Auth              string   // none, basic, digest-md5, digest-sha256
	Worked            []string // deviations that were worked around
	Reconnects        uint64   // connections with pictures after the first one
	Failures          int      // in a row
	// Talk is what the camera takes for talk, in its own order, as it said the last time
	// when it was asked: TalkKnown.
	Talk      []av.Track
	TalkKnown bool
}

// Status of all streams, of a camera main first.
func (p *Puller) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Status
	for _, id := range slices.Sorted(maps.Keys(p.cameras)) {
		out = append(out, p.cameras[id].statuses()...)
	}
	return out
}

// Of is the status of one camera's streams, main first.
func (p *Puller) Of(camera string) []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.cameras[camera]; c != nil {
		return c.statuses()
	}
	return nil
}

// statuses are copies, main before sub. The puller is locked.
func (c *camera) statuses() []Status {
	var out []Status
	for _, name := range slices.Sorted(maps.Keys(c.sources)) { // "main" < "sub"
		s := c.sources[name]
		st := s.status
		st.Policy, st.Failures = s.policy, s.failures
		st.Worked, st.Talk = slices.Clone(st.Worked), slices.Clone(st.Talk)
		out = append(out, st)
	}
	return out
}

// Changed is closed at the next change of a status; who asked for it before reading
// Status misses none.
func (p *Puller) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// signal tells of a change. The puller is locked.
func (p *Puller) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// many reports whether more streams are pulled than may be dialled at a time. The puller is locked.
func (p *Puller) many() bool {
	n := 0
	for range p.sources() {
		n++
	}
	return n >= dials
}

// memoryOf names the memory of a stream: by its path, since its host may move.
func memoryOf(stream string, t rtsp.Target) string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return stream
	}
	return fmt.Sprintf("%s %x", stream, sha256.Sum256([]byte(u.EscapedPath()+"?"+u.RawQuery)))[:len(stream)+17]
}

func (p *Puller) load(camera, stream string) rtsp.Memory {
	if p.o.Memory != nil {
		return p.o.Memory.Load(camera, stream)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory[[2]string{camera, stream}]
}

func (p *Puller) save(camera, stream string, m rtsp.Memory) {
	if p.o.Memory != nil {
		p.o.Memory.Save(camera, stream, m)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cameras[camera] != nil {
		p.memory[[2]string{camera, stream}] = m
	}
}

func sameTarget(a, b rtsp.Target) bool { return reflect.DeepEqual(a, b) }
