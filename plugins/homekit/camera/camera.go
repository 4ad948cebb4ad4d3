package camera

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/picture"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Hub is what of the house a camera needs; *sdk.Hub is one.
type Hub interface {
	DescribeMedia(ctx context.Context, camera string) (sdk.MediaDescription, error)
	OpenMedia(ctx context.Context, m sdk.MediaRequest) (*av.Reader, error)
	Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.Image, error)
	RequestKeyFrame(ctx context.Context, camera, stream string) error
	OpenTalk(ctx context.Context, camera, talker string, track av.Track) (*av.Publisher, av.Track, error)
	Act(ctx context.Context, device string, a sdk.Act) error
}

// Keeper keeps what owners set over a restart; *store.Accessory is one.
type Keeper interface {
	Value(key string, v any) (bool, error)
	SetValue(key string, v any) error
}

// Options of a camera; Camera, Hub and Keep are needed.
type Options struct {
	Camera, Name           string // the hub's id, and what people call it
	Doorbell, Talk, Motion bool
	Long, Double           bool // presses that the doorbell tells apart from a short one
	// NightVision and Indicator: the device has a mode of that name.
	NightVision, Indicator bool
	Info                   accessory.Info
	Hub                    Hub
	Keep                   Keeper
	Media                  sdk.MediaDescription // of which the sizes are offered
	Log                    *slog.Logger         // nil: nothing is logged
	Now                    func() time.Time     // nil: time.Now
}

// viewers of a camera at a time: so many stream services it has.
const viewers = 2

// Camera is one accessory.
type Camera struct {
	o       Options
	log     *slog.Logger
	a       *accessory.A
	bell    *characteristic.C
	motion  *characteristic.MotionDetected
	alive   *characteristic.StatusActive
	active  *setting // 21B: the owner's privacy switch
	event   *setting // 223: pictures of events
	regular *setting // 225: pictures now and then
	mic     *setting
	speaker *setting // nil: there is none
	modes   map[string]*setting
	streams []*stream
	shelf   *picture.Shelf
	choices choices
	offer   atomic.Pointer[string] // value of 114

	work    sync.WaitGroup
	telling sync.Mutex // what is told last is how it is
	online  atomic.Bool
	moving  atomic.Bool
	closed  atomic.Bool
}

// New camera, off the network: server brings it there.
func New(o Options) (*Camera, error) {
	if o.Camera == "" || o.Hub == nil || o.Keep == nil {
		return nil, errors.New("camera: new: its id, the hub and a keeper are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Info.Name = cmp.Or(o.Info.Name, o.Name, o.Camera)
	c := &Camera{o: o, log: o.Log.With("camera", o.Camera), modes: make(map[string]*setting)}
	c.online.Store(true)
	c.shelf = picture.New(picture.Options{Hub: o.Hub, Camera: o.Camera, Log: c.log, Now: o.Now})
	c.SetMedia(o.Media)
	if err := c.build(); err != nil {
		c.shelf.Close()
		return nil, err
	}
	return c, nil
}

// SetMedia takes over what the camera has now, so that its own sizes are offered and pictures
// are no bigger. It changes a value and not the accessory's shape; where nothing is known of
// the camera, what was before stays.
func (c *Camera) SetMedia(d sdk.MediaDescription) {
	own := ownSizes(d)
	if len(own) > 0 {
		c.shelf.Resize(own[0].Width, own[0].Height)
	}
	if offer := message.VideoOffer(message.Sizes(own...)); len(own) > 0 || c.offer.Load() == nil {
		c.offer.Store(&offer)
	}
}

// ownSizes are those of a camera's streams, biggest first.
func ownSizes(d sdk.MediaDescription) []message.Size {
	var out []message.Size
	for _, s := range d.Streams {
		for _, t := range s.Tracks {
			if t.Kind == av.Video && t.Width > 0 && t.Height > 0 {
				out = append(out, message.Size{Width: t.Width, Height: t.Height, FPS: int(t.FPS + 0.5)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b message.Size) int { return cmp.Compare(b.Width*b.Height, a.Width*a.Height) })
	return out
}

// Accessory is what server shows.
func (c *Camera) Accessory() *accessory.A { return c.a }

// Category that is announced (HAP 13).
func (c *Camera) Category() byte {
	if c.o.Doorbell {
		return accessory.TypeVideoDoorbell
	}
	return accessory.TypeIPCamera
}

// Bell is what is pressed; nil of a camera without one.
func (c *Camera) Bell() *characteristic.C { return c.bell }

// Active says whether Home may use the camera: the owner's switch in Home (21B).
func (c *Camera) Active() bool { return c.active.on() }

// SetMotion tells Home that something moves, or does not any more. While the owner's switch
// is off nothing does.
func (c *Camera) SetMotion(on bool) {
	if on && !c.moving.Swap(true) {
		c.shelf.Happened()
	}
	if !on {
		c.moving.Store(false)
	}
	c.tellMotion()
}

func (c *Camera) tellMotion() {
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.motion != nil {
		c.motion.SetValue(c.moving.Load() && c.Active())
	}
	if c.alive != nil {
		c.alive.SetValue(c.online.Load() && c.Active())
	}
}

// SetOnline tells whether the camera is there.
func (c *Camera) SetOnline(on bool) {
	c.online.Store(on)
	if !on {
		c.moving.Store(false)
	}
	c.tellMotion()
	for _, s := range c.streams {
		s.tell()
	}
}

// SetMode tells Home what a mode of the device is now: night_vision or indicator.
func (c *Camera) SetMode(mode, value string) {
	if s := c.modes[mode]; s != nil {
		s.tell(modeOn(value))
	}
}

// modeOn says which values of a mode Home shows as on. Night vision that the camera switches
// itself is on.
func modeOn(value string) bool {
	switch strings.ToLower(value) {
	case "on", "auto", "true", "1", "enabled", "yes":
		return true
	}
	return false
}

// Pressed is called when the bell rings: the picture that Home will ask for is fetched at once.
func (c *Camera) Pressed(context.Context) {
	if c.Active() {
		c.shelf.Event()
	}
}

// What requests are answered with.
const (
	statusOK         = attribute.OK
	statusPrivileges = attribute.Denied
	statusUnreached  = attribute.Unreachable
	statusInvalid    = attribute.Invalid
	statusNotAllowed = attribute.NotAllowed
	statusMissing    = attribute.Missing
)

// Reasons of a request for a picture; one that gives none is taken for both.
const (
	reasonPeriodic = 0
	reasonEvent    = 1
)

// Resource answers POST /resource with a JPEG, or with the status why there is none.
func (c *Camera) Resource(ctx context.Context, _ *server.Peer, r server.Resource) ([]byte, int) {
	switch {
	case r.Kind != "image":
		return nil, statusMissing
	case c.closed.Load():
		return nil, statusUnreached
	case !c.mayLook(), r.Reason != reasonEvent && !c.regular.on(), r.Reason != reasonPeriodic && !c.event.on():
		return nil, statusNotAllowed
	}
	jpeg, err := c.shelf.Get(ctx, r.Width, r.Height, r.Reason == reasonEvent)
	if err != nil {
		c.log.Debug("no picture for Home", "err", err)
		return nil, statusUnreached
	}
	if !c.mayLook() { // switched off while it was fetched
		return nil, statusNotAllowed
	}
	return jpeg, statusOK
}

// mayLook says whether Home may see anything: the owner's switch, and not all streams off.
func (c *Camera) mayLook() bool {
	return c.Active() && slices.ContainsFunc(c.streams, func(s *stream) bool { return s.active.on() })
}

// Close ends every stream; when it returns nothing of the camera is left.
func (c *Camera) Close() {
	c.closed.Store(true)
	for _, s := range c.streams {
		s.stop("the camera is taken out of Home")
	}
	c.shelf.Close()
	c.work.Wait()
}
