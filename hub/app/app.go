package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thejerf/suture/v4"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/certs"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/hooks"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert"
	"github.com/porchlight-hub/porchlight/hub/media/convert/still"
	"github.com/porchlight-hub/porchlight/hub/media/mse"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/media/restream"
	"github.com/porchlight-hub/porchlight/hub/media/snapshot"
	"github.com/porchlight-hub/porchlight/hub/media/socket"
	"github.com/porchlight-hub/porchlight/hub/media/talk"
	"github.com/porchlight-hub/porchlight/hub/media/whep"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/rules"
	"github.com/porchlight-hub/porchlight/hub/secrets"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/hub/timeline"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// stopWithin bounds an orderly stop; what is not done then is left to the next start.
const stopWithin = 10 * time.Second

// Options of a hub.
type Options struct {
	File     string // the YAML; empty: the demo
	DataDir  string // absolute
	Config   *config.Config
	Loaded   time.Time        // when Config was read, or kept as the last good one
	Problems []config.Problem // of File as it is now
	// LoadOptions are for reading File again.
	LoadOptions config.Options
	Bundled     []Bundled
	Exe         string // runs bundled plugins; empty: this very binary
	Version     string
	Log         *slog.Logger
	Level       *slog.LevelVar // of Log, follows hub.log.level; nil: it stays
	// Tell writes a text for the person at the terminal; nil: nobody is there.
	Tell func(text string)
	// CommitDelay is for tests; see bus.Options.
	CommitDelay time.Duration
}

// Hub is a whole hub: the rooms, and what keeps them alive.
type Hub struct {
	opts    Options
	log     *slog.Logger
	bundled map[string]Bundled
	state   *configState
	schemas schemas
	lock    *os.File
	addr    net.Addr
	lnMu    sync.Mutex
	ln      net.Listener // nil while web has it
	tree    *suture.Supervisor

	db       *store.DB
	bus      *bus.Bus
	secrets  *secrets.Store
	registry *registry.Registry
	chimes   *chimes.Chimes
	rules    *rules.Rules
	timeline *timeline.Timeline
	host     *host.Host
	super    *supervisor.Supervisor
	media    *media.Core
	socket   *socket.Server
	mse      *mse.Muxers
	stills   *still.Stills
	pictures *snapshot.Store
	// renditions are what is converted for whoever reads.
	renditions *convert.Renditions
	live       *whep.Server
	restream   *restream.Server
	talk       *talk.Desk
	notes      *registry.Notes
	// described are the devices by the word of their plugins, shown is what bridges know.
	described *registry.Describer
	shown     *shown
	sources   *sources.Sources
	puller    *pull.Puller
	hooks     *hooks.Hooks
	access    *access.Access
	certs     *certs.Certs // nil: the pages are HTTP
	web       *web.Server

	// states waits for watchDevices; room for every plugin to change a few times.
	states chan event.Event
	holdMu sync.Mutex
	holds  map[holdKey]func()
	// warming are the pictures that presses have asked for.
	warming sync.WaitGroup

	ran     atomic.Bool // Serve was called
	applied atomic.Bool // the plugins know what they shall be
	serving atomic.Bool // the bus takes events
}

// New takes the data folder, opens what is kept in it, and listens. Nothing runs
// before Serve; after an error nothing is left open.
func New(ctx context.Context, o Options) (*Hub, error) {
	h := &Hub{opts: o, log: o.Log, bundled: map[string]Bundled{},
		states: make(chan event.Event, 256), holds: map[holdKey]func(){}, shown: newShown()}
	for _, b := range o.Bundled {
		h.bundled[b.Name] = b
	}
	h.state = &configState{file: o.File, started: o.Config, options: func() config.Options { return h.schemas.options(o.LoadOptions) }}
	h.state.set(o.Config, o.Loaded, o.Problems)
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *Hub) open(ctx context.Context) error {
	var err error
	if h.lock, err = lock(h.opts.DataDir); err != nil {
		return err
	}
	// The port comes before the files: a taken one is the commonest trouble of a start.
	if h.ln, err = web.Listen(ctx, h.opts.Config.Hub.Listen, h.beyond()); err != nil {
		return err
	}
	h.addr = h.ln.Addr()
	if err = h.openCerts(); err != nil {
		return err
	}
	if h.db, err = store.Open(ctx, filepath.Join(h.opts.DataDir, "hub.db")); err != nil {
		return err
	}
	if h.access, err = access.Open(ctx, h.db, access.Options{Log: h.log}); err != nil {
		return err
	}
	if h.bus, err = bus.Open(ctx, bus.Options{Journal: filepath.Join(h.opts.DataDir, "journal.db"),
		Debounce: h.debounce, Log: h.log.With("part", "bus"), CommitDelay: h.opts.CommitDelay}); err != nil {
		return err
	}
	if h.secrets, err = secrets.Open(filepath.Join(h.opts.DataDir, "secrets")); err != nil {
		return err
	}
	h.registry = registry.New(h.bus, h.log.With("part", "registry"), time.Now)
	h.timeline = timeline.New(h.bus)
	if h.chimes, err = chimes.New(ctx, h.db, h.bus, player{h}, h.log.With("part", "chimes"), time.Now); err != nil {
		return err
	}
	h.rules = rules.New(h.bus, h.chimes, h.maxAge, h.log.With("part", "rules"))
	if h.notes, err = registry.OpenNotes(ctx, h.db); err != nil {
		return err
	}
	if h.hooks, err = hooks.Open(ctx, h.db); err != nil {
		return err
	}
	h.openMedia()
	h.openSources()
	h.openHouse()
	h.openLive()
	if h.host, err = host.New(ctx, host.Deps{Bus: h.bus, DB: h.db, Cameras: cameraList{h}, House: quietDesk{chimesOf{h.chimes}, h}, Media: mediaDesk{h},
		Secrets: houseSecrets{h}, Commander: commander{h}, Talk: talkDesk{h}, Supervisor: manners{h}, Changed: h.deviceChanged, Log: h.log.With("part", "host"), Now: time.Now}); err != nil {
		return err
	}
	if err := h.openSupervisor(); err != nil {
		return err
	}
	return h.openWeb(ctx)
}

func (h *Hub) close() error {
	var errs []error
	if ln := h.takeListener(); ln != nil {
		errs = append(errs, ln.Close())
	}
	if h.bus != nil && !h.ran.Load() { // it closes its journal at the end of Serve
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := h.bus.Serve(ended); !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	if h.pictures != nil {
		h.pictures.Close()
		h.stills.Close()
		h.renditions.Close()
	}
	if h.db != nil {
		errs = append(errs, h.db.Close())
	}
	if h.lock != nil {
		errs = append(errs, h.lock.Close())
	}
	return errors.Join(errs...)
}

func (h *Hub) debounce(camera string) time.Duration {
	c, _ := h.state.running()
	return debounce(c, camera)
}

func (h *Hub) maxAge(camera string) time.Duration {
	d, _ := h.registry.Device(camera)
	return d.IgnoreOlderThan
}

// SetupURL makes a one-time link that signs its opener in.
func (h *Hub) SetupURL(ctx context.Context) (string, error) {
	token, _, err := h.access.NewSetupToken(ctx)
	if err != nil {
		return "", fmt.Errorf("setup link: %w", err)
	}
	return h.web.SetupURL(token), nil
}

// TrustURL is where a phone is shown how to trust the hub's certificate; empty where that
// is not needed.
func (h *Hub) TrustURL() string { return h.web.TrustURL() }

// CertificateTrouble is why browsers refuse or doubt the pages; nil: they have no cause.
func (h *Hub) CertificateTrouble() error {
	if h.certs == nil {
		return nil
	}
	return h.certs.Trouble()
}

// Addr is where the pages are.
func (h *Hub) Addr() net.Addr { return h.addr }

// Serve runs the hub until ctx ends, then stops it in order: plugins first, so
// that what they still publish is kept.
func (h *Hub) Serve(ctx context.Context) error {
	h.ran.Store(true)
	defer h.close()
	h.tree = suture.New("hub", suture.Spec{EventHook: h.supervised, Timeout: stopWithin})
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	// The bus outlives the others: it ends by its own context, after the plugins.
	busCtx, stopBus := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBus()
	busDone := make(chan error, 1) // one result
	go func() {
		h.serving.Store(true)
		err := h.bus.Serve(busCtx)
		h.serving.Store(false)
		if busCtx.Err() == nil { // a house without a bus is none
			err = fmt.Errorf("bus: ended by itself: %w", cmp.Or(err, errors.New("no reason given")))
			fail(err)
		}
		busDone <- err
	}()
	defer context.AfterFunc(ctx, h.mse.Close)()
	defer h.talk.Close()

	for name, serve := range map[string]func(context.Context) error{
		"rules": h.rules.Serve, "host": h.host.Serve, "supervisor": h.super.Serve, "devices": h.watchDevices,
		"chimes": h.chimes.Serve, "descriptions": h.described.Serve, "house": h.watchHouse,
		"disk": h.watchDisk, "config": h.watchConfig, "web": h.serveWeb, "admin": h.web.ServeAdmin,
		"pull": h.puller.Serve, "webrtc": h.live.Serve, "rtsp": h.restream.Serve, "ports": h.watchPorts, "sources": h.sources.Serve, "warm": h.warm, "pull states": h.watchPull, "memory": h.watchMemory,
	} {
		h.tree.Add(service{name, serve})
	}
	if h.certs != nil {
		h.tree.Add(service{"certificate", h.certs.Serve})
	}
	h.apply(ctx, h.opts.Config)
	if config.AsError(h.opts.Problems) == nil {
		h.keepLastGood(h.opts.Config)
	}
	err := h.tree.Serve(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	h.chimes.Wait(wait)
	h.warming.Wait()
	stopBus()
	if berr := <-busDone; berr != nil && !errors.Is(berr, context.Canceled) {
		err = errors.Join(err, berr)
	}
	return err
}

// service gives a Serve function its name in the tree's log.
type service struct {
	name  string
	serve func(context.Context) error
}

func (s service) Serve(ctx context.Context) error { return s.serve(ctx) }
func (s service) String() string                  { return s.name }

// supervised logs what the tree had to do; a room that ended in error is started again.
func (h *Hub) supervised(e suture.Event) {
	switch e := e.(type) {
	case suture.EventServicePanic:
		h.log.Error("a room panicked and is started again", "room", e.ServiceName, "panic", e.PanicMsg, "stack", e.Stacktrace)
	case suture.EventServiceTerminate:
		h.log.Warn("a room ended and is started again", "room", e.ServiceName, "err", e.Err)
	case suture.EventStopTimeout:
		h.log.Warn("a room did not stop in time", "room", e.ServiceName)
	}
}
