package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// ErrNotFound is what rooms answer, wrapped or not, for an id they do not know.
var ErrNotFound = errors.New("not found")

// Rooms is the house as the web sees it. Every field is needed but those said to
// be optional. Package hub/web/house adapts the real rooms.
type Rooms struct {
	Cameras  Cameras
	Events   Events
	Feed     Feed
	Ringer   Ringer
	Chimes   Chimes
	Sounds   Sounds
	Plugins  Plugins
	Config   ConfigRoom
	Pictures Pictures
	Explain  Explainer
	// Hooks, Sources and Doctor are optional: without them their routes answer 501.
	Hooks   Hooks
	Sources Sources
	Doctor  Doctor
	// Live, Talks and MP4 are optional as well.
	Live  Live
	Talks Talks
	MP4   MP4
	// Viewers tells who watches now by WebRTC and by the re-stream. Optional: nobody is known.
	Viewers func() []Viewing
	// Restream is optional: nothing is handed on by RTSP.
	Restream Restream
	// Cards tell what is wrong with the hub itself, oldest first. Optional: nothing ever is.
	Cards func() []Card
	// Ready tells why the hub is not ready yet, nil when it is. Optional: always ready.
	Ready func() error
}

// Cameras are the devices with pictures, by id.
type Cameras interface {
	Cameras() []Camera
	Camera(id string) (Camera, bool)
}

// EventQuery selects events, newest first. Zero fields do not narrow.
type EventQuery struct {
	Since, Until time.Time
	Camera       string
	Types        []event.Type
	Before       uint64 // seq; for the next page
	Limit        int
}

// Lister gives events of the past.
type Lister interface {
	Events(ctx context.Context, q EventQuery) ([]event.Event, error)
}

// Events are the past.
type Events interface {
	Lister
	Event(ctx context.Context, id string) (event.Event, error)
	Trace(ctx context.Context, id string) (Trace, error)
}

// Feed is the present.
type Feed interface {
	// Subscribe gives what happens from now on.
	Subscribe() (Subscription, error)
	// LastSeq is the seq of the newest event.
	LastSeq() uint64
}

// Subscription to the feed; it skips when its reader is slow, never waits for it.
type Subscription interface {
	Next(ctx context.Context) (event.Delivery, error)
	// Skipped is how many events it left out so far.
	Skipped() uint64
	Close()
}

// Ringer rings on behalf of a person on a page or in a terminal.
type Ringer interface {
	Ring(ctx context.Context, camera string, test bool) (eventID string, err error)
}

// Chimes sound, or are kept from it.
type Chimes interface {
	Chimes() []Chime
	Mute(ctx context.Context, id string, on bool) error
	Test(ctx context.Context, id string) (Played, error)
	Quiet() Quiet
	SetQuiet(ctx context.Context, until time.Time) error // a past or zero time ends it
}

// Sounds are what the browser chime wants played, live only.
type Sounds interface {
	Listen() (Listener, error)
	// Sounded notes for the trace that a page played it.
	Sounded(eventID, chime string, took time.Duration)
}

// Listener gets sounds; it misses some when it does not keep up.
type Listener interface {
	Next(ctx context.Context) (Sound, error)
	Close()
}

// Plugins are the processes beside the hub.
type Plugins interface {
	Plugins() []Plugin
	Plugin(name string) (Plugin, bool)
	Restart(ctx context.Context, name string) error
	Logs(name string, n int) []LogLine // oldest first
	Act(ctx context.Context, plugin, action string, input json.RawMessage) (json.RawMessage, error)
}

// Hooks ring by a POST of whoever has the URL. A room gives the path alone, /hooks/TOKEN;
// the web puts its own name before it.
type Hooks interface {
	// Hook is the camera's, made when first asked for.
	Hook(ctx context.Context, camera string) (Hook, error)
	// Renew makes the old URL worthless.
	Renew(ctx context.Context, camera string) (Hook, error)
	// Ring finds the camera of a token and rings it; ErrNotFound: nobody has that token.
	Ring(ctx context.Context, token string) (eventID string, err error)
}

// Sources are the streams that the hub pulls.
type Sources interface {
	// Test looks at a camera afresh, over a connection of its own.
	Test(ctx context.Context, camera string) (CameraReport, error)
	// Retry tries now, whatever the next try was to be.
	Retry(ctx context.Context, camera string) error
}

// Doctor looks at the house and the machine.
type Doctor interface {
	// Check looks at the areas, none: all.
	Check(ctx context.Context, areas []string) []Check
}

// ConfigRoom is the YAML, for reading.
type ConfigRoom interface {
	State() ConfigState
	// Files are the main one and those that it includes, as they are on disk now.
	Files() []ConfigFile
	Effective() []byte // YAML, secrets masked
	Validate(ctx context.Context, yaml []byte) []ConfigProblem
}

// Pictures answer with media by themselves, errors included. The caller has checked
// that the camera exists and that the asker may see it.
type Pictures interface {
	Snapshot(w http.ResponseWriter, r *http.Request, camera string)
	MJPEG(w http.ResponseWriter, r *http.Request, camera string)
	MSE(w http.ResponseWriter, r *http.Request, camera, stream string)
}

// Viewer is who looks or talks, as far as a room needs to know.
type Viewer struct {
	Name string // as people call them
	Key  string // opaque: the same login, or the same token
	// MayTalk: the sound that it sends may reach the door.
	MayTalk bool
}

// Live shows cameras by WebRTC. It answers by itself, errors included; the caller has
// checked the camera and the viewer.
type Live interface {
	// ServeOffer answers a POST of an SDP offer (WHEP): 201, with a Location whose last
	// part is the session's id.
	ServeOffer(w http.ResponseWriter, r *http.Request, camera, stream string, v Viewer)
	// ServeSession answers PATCH and DELETE of a session, to its own viewer only.
	ServeSession(w http.ResponseWriter, r *http.Request, id string, v Viewer)
	// End closes a session; Done is closed when it is over, or was never there.
	End(id, reason string)
	Done(id string) <-chan struct{}
}

// Talks let people speak at a door, one at a time.
type Talks interface {
	// Begin lets somebody speak. With a session, what that session of Live sends is heard;
	// without, units of L16, 16 kHz, mono are put. *TalkBusy: somebody speaks.
	Begin(ctx context.Context, camera string, by Viewer, session string) (Talk, error)
	// Talk that goes on, by id.
	Talk(id string) (Talk, bool)
}

// Talk is one person speaking at a door.
type Talk interface {
	ID() string
	Camera() string
	By() Viewer
	Takes() av.Track // what the door takes
	// Put says the next unit of a talk that was begun without a session.
	Put(u *av.Unit) error
	Close(reason string)
	Done() <-chan struct{}
	Err() error // why it is over; nil: it was ended
}

// MP4 answers with one film without an end. The caller has checked who asks.
type MP4 interface {
	ServeMP4(w http.ResponseWriter, r *http.Request, camera, stream string)
}

// Explainer has a text for each error code.
type Explainer interface {
	Explain(code string) (Explanation, bool)
}
