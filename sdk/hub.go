package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/internal/instance"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// Hub is the plugin's way to the house. All methods may be called at once, and
// from Run's first line on; what needs the connection waits for it, as long as
// ctx allows (30 s where it has no end).
type Hub struct {
	in *instance.Instance
}

// Entry is this plugin's name in the config.
func (h *Hub) Entry() string { return h.in.Setup().GetEntry() }

// Name of the house.
func (h *Hub) Name() string { return h.in.Setup().GetHubName() }

// Location is the house's time zone.
func (h *Hub) Location() *time.Location {
	if l, err := time.LoadLocation(h.in.Setup().GetTimezone()); err == nil {
		return l
	}
	return time.Local
}

// Config fills v from the settings of this plugin's entry.
func (h *Hub) Config(v any) error {
	return decode("config", json.RawMessage(h.in.Setup().GetConfig()), v)
}

// Devices are the cameras and chimes whose entries name this plugin.
func (h *Hub) Devices() []Device { return devicesFrom(h.in.Setup().GetDevices()) }

// Device by its id.
func (h *Hub) Device(id string) (Device, bool) {
	d := h.Devices()
	if i := slices.IndexFunc(d, func(d Device) bool { return d.ID == id }); i >= 0 {
		return d[i], true
	}
	return Device{}, false
}

// DataDir is the only folder that the plugin may write.
func (h *Hub) DataDir() string { return h.in.Setup().GetDataDir() }

// Log goes to the hub's log, under this plugin's name; to stderr while there is no connection.
func (h *Hub) Log() *slog.Logger { return h.in.Log() }

// Features of the hub, by name; a plugin that needs a newer one asks here.
func (h *Hub) Features() []string { return slices.Clone(h.in.Setup().GetHubFeatures()) }

// Granted is what the plugin may do, after the owner and the hub's policy had their say.
func (h *Hub) Granted() Grant {
	g := h.in.Setup().GetGrant()
	return Grant{
		Publish: g.GetPublish(), Subscribe: g.GetSubscribe(), Commands: g.GetCommands(),
		MediaPublish: g.GetMediaPublish(), MediaRead: g.GetMediaRead(), Talk: g.GetTalk(),
		Secrets: g.GetSecrets(), StorageBytes: g.GetStorageBytes(),
		Discovery: g.GetDiscovery(), Network: g.GetNetwork(), Devices: g.GetDevices(),
	}
}

// Grant is what a plugin may do.
type Grant struct {
	Publish, Subscribe, Commands  []string
	MediaPublish, MediaRead, Talk bool
	Secrets                       []string
	StorageBytes                  uint64
	Discovery, Network, Devices   []string
}

// Ring tells the house that somebody rang at the camera, now.
func (h *Hub) Ring(ctx context.Context, camera string) (Result, error) {
	return h.Publish(ctx, event.New(TypeRing, camera, Ring{}))
}

// Publish hands an event to the house and waits for the hub's answer. Id, subject
// and observation time are filled in where they are empty. AcceptedNotDurable
// (the disk is full) and Duplicate are no errors. A ring that comes while the
// plugin is over its rate is sent again when the hub says so; after a broken
// connection all that is unanswered is sent again with its id.
func (h *Hub) Publish(ctx context.Context, e Event) (Result, error) {
	if e.ID == "" {
		e.ID = event.NewID()
	}
	if e.Subject == "" && e.Camera != "" {
		e.Subject = "camera." + e.Camera + "." + string(e.Type)
	}
	if e.Observed.IsZero() {
		e.Observed = time.Now()
	}
	m := event.ToProto(&e)
	if _, err := event.FromProto(m); err != nil { // the same check as the hub's, without the way there
		return Result{Outcome: event.Rejected}, &Error{Call: "publish", Kind: ErrInvalid, Message: err.Error()}
	}
	r, err := h.in.Publish(ctx, m)
	switch {
	case errors.Is(err, instance.ErrDraining):
		return Result{}, &Error{Call: "publish", Kind: ErrUnavailable, Message: err.Error()}
	case errors.Is(err, wire.ErrFull):
		return Result{}, &Error{Call: "publish", Kind: ErrExhausted, Message: err.Error()}
	case err != nil:
		return Result{}, fmt.Errorf("publish: %w", unavailable(err))
	}
	res := Result{Outcome: event.Outcome(r.GetOutcome()), Seq: r.GetSeq()}
	if r.GetOutcome() != pb.PublishResult_OUTCOME_REJECTED {
		return res, nil
	}
	if err := errorFrom("publish", r.GetError()); err != nil {
		return res, err
	}
	return res, &Error{Call: "publish", Message: m.GetSubject()} // a hub that gives no reason
}

// KVGet reads from the plugin's own store in the hub; ErrNotFound where there is no such key.
func (h *Hub) KVGet(ctx context.Context, key string) ([]byte, error) {
	r, err := h.call(ctx, "kv get", &pb.HubCall{C: &pb.HubCall_KvGet{KvGet: &pb.KVGet{Key: key}}})
	if err != nil {
		return nil, err
	}
	if !r.GetKvGet().GetFound() {
		return nil, &Error{Call: "kv get", Kind: ErrNotFound, Message: "key " + key}
	}
	return r.GetKvGet().GetValue(), nil
}

// KVPut writes to it. Keys are [a-z0-9._/-]{1,128}; all values together are at most 5 MiB,
// one at most a little under 1 MiB (a message's limit).
func (h *Hub) KVPut(ctx context.Context, key string, value []byte) error {
	_, err := h.call(ctx, "kv put", &pb.HubCall{C: &pb.HubCall_KvPut{KvPut: &pb.KVPut{Key: key, Value: value}}})
	return err
}

// KVDelete removes a key; one that is not there is no error.
func (h *Hub) KVDelete(ctx context.Context, key string) error {
	_, err := h.call(ctx, "kv delete", &pb.HubCall{C: &pb.HubCall_KvDelete{KvDelete: &pb.KVDelete{Key: key}}})
	return err
}

// KVList lists the keys with a prefix.
func (h *Hub) KVList(ctx context.Context, prefix string) ([]string, error) {
	r, err := h.call(ctx, "kv list", &pb.HubCall{C: &pb.HubCall_KvList{KvList: &pb.KVList{Prefix: prefix}}})
	return r.GetKvList().GetKeys(), err
}

// Secret reads a secret that this plugin's config refers to.
func (h *Hub) Secret(ctx context.Context, name string) (Secret, error) {
	r, err := h.call(ctx, "secret", &pb.HubCall{C: &pb.HubCall_Secret{Secret: &pb.SecretGet{Name: name}}})
	return Secret(r.GetSecret().GetValue()), err
}

// Secret shows itself as *** wherever it is printed or logged.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string               { return "***" }
func (Secret) GoString() string             { return "***" }
func (Secret) LogValue() slog.Value         { return slog.StringValue("***") }
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Subscribe gives the events that fall under the filters to handle, beside those
// of the manifest; order and repeats are as for Bridge. With a name the hub keeps
// the place in the stream, and the next Subscribe under that name goes on there.
func (h *Hub) Subscribe(ctx context.Context, r SubscribeRequest, handle func(context.Context, Delivery) error) (*Subscription, error) {
	for _, f := range r.Filters {
		if err := event.CheckFilter(f); err != nil {
			return nil, &Error{Call: "subscribe", Kind: ErrInvalid, Message: err.Error()}
		}
	}
	sub, reply, err := h.in.Subscribe(ctx, &pb.Subscribe{Filters: r.Filters, Name: r.Name, From: pb.Subscribe_From(r.From)}, handle)
	if err := callError("subscribe", reply, err); err != nil {
		return nil, err
	}
	return &Subscription{hub: h, sub: sub}, nil
}

// SubscribeRequest names what to hear, and from when on.
type SubscribeRequest struct {
	Filters []string
	Name    string // of the durable cursor; empty: none is kept
	From    SubscribeFrom
}

// SubscribeFrom says where a subscription begins.
type SubscribeFrom uint8

// Beginnings, with the numbers of the protocol.
const (
	FromCursor SubscribeFrom = 1 // where Name was left; the first time from now
	FromNow    SubscribeFrom = 2
	FromStart  SubscribeFrom = 3
)

// Subscription is a running Subscribe.
type Subscription struct {
	hub *Hub
	sub *instance.Subscription
}

// Close ends it; a handler that runs is not waited for.
func (s *Subscription) Close(ctx context.Context) error {
	s.sub.Close()
	_, err := s.hub.call(ctx, "unsubscribe", &pb.HubCall{C: &pb.HubCall_Unsubscribe{Unsubscribe: &pb.Unsubscribe{Subscription: s.sub.Number()}}})
	return err
}

// call asks the hub and turns its answer's error into an *Error.
func (h *Hub) call(ctx context.Context, what string, c *pb.HubCall) (*pb.HubReply, error) {
	r, err := h.in.Call(ctx, c)
	return r, callError(what, r, err)
}

func callError(what string, r *pb.HubReply, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, unavailable(err))
	}
	return errorFrom(what, r.GetError())
}

// unavailable keeps a context's error and makes an ErrUnavailable of the rest.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Act makes another plugin's device do something.
func (h *Hub) Act(ctx context.Context, device string, a Act) error {
	m := actToProto(device, a)
	if m.GetAct() == nil {
		return &Error{Call: "act", Kind: ErrInvalid, Message: fmt.Sprintf("%T is not one of the acts", a)}
	}
	_, err := h.call(ctx, "act", &pb.HubCall{C: &pb.HubCall_ActOnDevice{ActOnDevice: &pb.ActOnDevice{Act: m}}})
	return err
}

// Cameras lists the house's cameras, as far as the grant lets the plugin know of them.
func (h *Hub) Cameras(ctx context.Context) ([]CameraInfo, error) {
	r, err := h.call(ctx, "list cameras", &pb.HubCall{C: &pb.HubCall_ListCameras{ListCameras: &pb.ListCameras{}}})
	var out []CameraInfo
	for _, c := range r.GetListCameras().GetCameras() {
		out = append(out, CameraInfo{
			ID: c.GetId(), Name: c.GetName(), Kind: c.GetKind(), Online: c.GetOnline(), OfflineReason: c.GetOfflineReason(),
			Talk: c.GetTalk(), Snapshot: c.GetSnapshot(), Hub: c.GetHub(), Status: c.GetStatus(), Device: deviceFrom(c.GetDevice()),
		})
	}
	return out, err
}

// CameraInfo is what a plugin may know of another's camera.
type CameraInfo struct {
	ID, Name, Kind string // Kind: doorbell, camera
	Online         bool
	OfflineReason  string
	Talk, Snapshot bool               // it can, and may
	Hub            string             // whose camera it is; empty: this hub's
	Status         map[string]string  // of its last DeviceStatus
	Device         *DeviceDescription // nil: its plugin tells nothing
}

// OpenRepair shows a card on the health page until CloseRepair of the same key.
func (h *Hub) OpenRepair(ctx context.Context, r Repair) error {
	_, err := h.call(ctx, "open repair", &pb.HubCall{C: &pb.HubCall_OpenRepair{OpenRepair: &pb.OpenRepair{
		Repair: &pb.Repair{Key: r.Key, Title: r.Title, Effect: r.Effect, Fix: r.Fix, Action: r.Action},
	}}})
	return err
}

// CloseRepair takes the card away; one that is not there is no error.
func (h *Hub) CloseRepair(ctx context.Context, key string) error {
	_, err := h.call(ctx, "close repair", &pb.HubCall{C: &pb.HubCall_CloseRepair{CloseRepair: &pb.CloseRepair{Key: key}}})
	return err
}

// Repair tells the owner what is wrong, what follows, and how to mend it.
type Repair struct {
	Key, Title, Effect, Fix string
	Action                  string // of the manifest, behind the card's button; empty: no button
}

// AskOwner shows the owner a prompt. A yes comes as a call of the named action from
// the caller owner, with the input {"prompt", "grant", "form"}; else nothing comes:
// silence and a no look the same.
func (h *Hub) AskOwner(ctx context.Context, q Question) error {
	m := &pb.AskOwner{Prompt: q.Prompt, Title: q.Title, Text: q.Text, Action: q.Action, Expires: stamp(q.Expires), Link: q.Link}
	for _, c := range q.Clips {
		m.Clips = append(m.Clips, &pb.ClipSpan{Camera: c.Camera, From: stamp(c.From), To: stamp(c.To)})
	}
	_, err := h.call(ctx, "ask owner", &pb.HubCall{C: &pb.HubCall_AskOwner{AskOwner: m}})
	return err
}

// Question is a prompt for the owner.
type Question struct {
	Prompt  string // the plugin's own id of it; asking again replaces it
	Title   string
	Text    string
	Action  string     // of the manifest, role hub; called on a yes
	Expires time.Time  // zero: in 7 days; past: the prompt is taken away
	Clips   []ClipSpan // that a yes would grant
	Link    string     // page to read more
}

// ClipSpan is a span of a recording.
type ClipSpan struct {
	Camera   string
	From, To time.Time
}
