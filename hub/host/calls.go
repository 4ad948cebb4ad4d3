package host

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/secrets"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Media hands out the tokens of media.sock and tells what a camera offers.
type Media interface {
	PublishToken(plugin, camera, stream string, tracks []av.Track) (string, error)
	ReadToken(plugin string, r MediaRead) (MediaGrant, error)
	// SnapshotToken fetches a JPEG and gives a token under which it is read once. Now: it is
	// to be of this moment, whatever that costs.
	SnapshotToken(ctx context.Context, plugin, camera string, width, height int, maxAge time.Duration, now bool) (Snapshot, error)
	Describe(camera string) []Stream
	// Hold keeps seconds of the past in the ring for the plugin; 0 releases. It answers what is held.
	Hold(plugin, camera, stream string, d time.Duration) (time.Duration, error)
}

// MediaRead is what a reader asks for.
type MediaRead struct {
	Camera, Stream string
	Start          av.Start
	Follow         bool
	Rendition      av.Rendition
}

// MediaGrant answers a reader.
type MediaGrant struct {
	Token     string
	Rendition string // copy, or converted: reason
	Tracks    []av.Track
}

// Snapshot waits under its token.
type Snapshot struct {
	Token         string
	Taken         time.Time
	Width, Height int
}

// Stream describes a camera's stream as it runs.
type Stream struct {
	Name        string
	Live        bool
	Tracks      []av.Track
	KeyInterval time.Duration
	Bitrate     uint64 // bit a second
	Prebuffer   time.Duration
}

// Secrets are read by their owner alone.
type Secrets interface {
	Get(plugin, name string) (string, error)
}

// Commander reaches the plugin that speaks for a camera.
type Commander interface {
	Command(ctx context.Context, plugin string, c *pb.Command) (*pb.Reply, error)
}

// ErrNotYet: the signature is final, this hub cannot do it.
var ErrNotYet = errors.New("the hub of this version cannot do that yet")

const (
	callTimeout = 10 * time.Second // where the plugin names no deadline, and at most
	kvQuota     = 5 << 20          // bytes of all values of one plugin
	maxJPEGSide = 4096
	// forEvent is the reason of a picture that shows who is at the door now.
	forEvent = "event"
)

// cursorName of a subscription; empty: it has no cursor of its own.
var cursorName = regexp.MustCompile(`^[a-z0-9_-]{0,64}$`)

var kvKey = regexp.MustCompile(`^[a-z0-9._/-]{1,128}$`)

// refusal is an error with the protocol's code.
type refusal struct {
	code pb.Code
	msg  string
}

func (r refusal) Error() string { return r.msg }

func denied(what string) error {
	return refusal{pb.Code_CODE_DENIED, "the plugin's grant does not allow " + what}
}

// Call carries out one call of a plugin and always answers.
func (h *Host) Call(ctx context.Context, plugin string, c *pb.HubCall) *pb.HubReply {
	timeout := c.GetDeadline().AsDuration()
	if timeout <= 0 || timeout > callTimeout {
		timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply := &pb.HubReply{}
	n, ok := h.entry(plugin)
	err := error(refusal{pb.Code_CODE_DENIED, "plugin has no entry any more"})
	if ok && n.granted() != nil {
		err = h.answer(ctx, n, c, reply)
	}
	reply.Id = c.GetId()
	if err != nil {
		reply.Error = protoError(err)
		if r := (refusal{}); errors.As(err, &r) && r.code == pb.Code_CODE_DENIED {
			h.reject(n, "call denied", err.Error())
		}
	}
	return reply
}

func protoError(err error) *pb.Error {
	e := &pb.Error{Code: pb.Code_CODE_INTERNAL, Message: err.Error()}
	var r refusal
	var coded interface{ Code() string }
	switch {
	case errors.As(err, new(taken)):
		e.Code = pb.Code_CODE_BUSY
	case errors.As(err, &r):
		e.Code = r.code
	case errors.Is(err, ErrNotYet):
		e.Code = pb.Code_CODE_NOT_YET
	case errors.Is(err, secrets.ErrNotFound), errors.Is(err, bus.ErrNotFound):
		e.Code = pb.Code_CODE_NOT_FOUND
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = pb.Code_CODE_DEADLINE
	}
	if errors.As(err, &coded) {
		e.Explain = coded.Code()
		if e.Code == pb.Code_CODE_INTERNAL {
			e.Code = pb.Code_CODE_UNAVAILABLE
		}
	}
	return e
}

func (h *Host) answer(ctx context.Context, n *entry, c *pb.HubCall, reply *pb.HubReply) error {
	switch m := c.GetC().(type) {
	case *pb.HubCall_KvGet, *pb.HubCall_KvPut, *pb.HubCall_KvDelete, *pb.HubCall_KvList:
		return h.kv(ctx, n.Name, c, reply)
	case *pb.HubCall_Secret:
		return h.secret(n, m.Secret, reply)
	case *pb.HubCall_Subscribe:
		return h.subscribeCall(n, m.Subscribe, reply)
	case *pb.HubCall_Unsubscribe:
		return h.unsubscribe(n.Name, m.Unsubscribe.GetSubscription(), reply)
	case *pb.HubCall_OpenRepair:
		h.Repair(n.Name, m.OpenRepair.GetRepair())
		reply.R = done()
	case *pb.HubCall_CloseRepair:
		h.repairs.Close(n.Name, m.CloseRepair.GetKey())
		reply.R = done()
	case *pb.HubCall_ListCameras:
		reply.R = &pb.HubReply_ListCameras{ListCameras: h.listCameras(n)}
	case *pb.HubCall_OpenMedia:
		return h.openMedia(n, m.OpenMedia, reply)
	case *pb.HubCall_DescribeMedia:
		return h.describeMedia(n, m.DescribeMedia.GetCamera(), reply)
	case *pb.HubCall_Snapshot:
		return h.snapshot(ctx, n, m.Snapshot, reply)
	case *pb.HubCall_HoldPrebuffer:
		return h.hold(n, m.HoldPrebuffer, reply)
	case *pb.HubCall_RequestKeyFrame:
		return h.keyFrame(ctx, n, m.RequestKeyFrame, reply)
	case *pb.HubCall_DeviceChanged:
		return h.deviceChanged(n, m.DeviceChanged.GetDevice(), reply)
	case *pb.HubCall_OpenTalk:
		return h.openTalk(ctx, n, m.OpenTalk, reply)
	case *pb.HubCall_DescribeHouse:
		return h.describeHouse(n, reply)
	case *pb.HubCall_SetQuiet:
		return h.setQuiet(ctx, n, m.SetQuiet, reply)
	case *pb.HubCall_ActOnDevice:
		return h.actOnDevice(ctx, n, m.ActOnDevice.GetAct(), reply)
	case *pb.HubCall_Dial, *pb.HubCall_Discover, *pb.HubCall_HttpFetch, *pb.HubCall_RegisterWebhook,
		*pb.HubCall_CutClip, *pb.HubCall_AskOwner, *pb.HubCall_SetMode, *pb.HubCall_PlayChime:
		return ErrNotYet
	default:
		return refusal{pb.Code_CODE_INVALID, "the call is empty, or of a newer protocol"}
	}
	return nil
}

func done() *pb.HubReply_Done { return &pb.HubReply_Done{Done: &pb.Done{}} }

func (h *Host) kv(ctx context.Context, plugin string, c *pb.HubCall, reply *pb.HubReply) error {
	var err error
	switch m := c.GetC().(type) {
	case *pb.HubCall_KvGet:
		var value []byte
		var found bool
		if value, found, err = h.kvGet(ctx, plugin, m.KvGet.GetKey()); err == nil {
			reply.R = &pb.HubReply_KvGet{KvGet: &pb.KVGetReply{Found: found, Value: value}}
		}
	case *pb.HubCall_KvPut:
		if err = h.kvPut(ctx, plugin, m.KvPut.GetKey(), m.KvPut.GetValue()); err == nil {
			reply.R = done()
		}
	case *pb.HubCall_KvDelete:
		if err = h.kvDelete(ctx, plugin, m.KvDelete.GetKey()); err == nil {
			reply.R = done()
		}
	case *pb.HubCall_KvList:
		var keys []string
		if keys, err = h.kvList(ctx, plugin, m.KvList.GetPrefix()); err == nil {
			reply.R = &pb.HubReply_KvList{KvList: &pb.KVListReply{Keys: keys}}
		}
	}
	return err
}

func (h *Host) secret(n *entry, m *pb.SecretGet, reply *pb.HubReply) error {
	if !anyOf(n.granted().GetSecrets(), "own", m.GetName()) {
		return denied("reading secrets")
	}
	v, err := h.Secrets.Get(n.Name, m.GetName())
	if err != nil {
		return err
	}
	reply.R = &pb.HubReply_Secret{Secret: &pb.SecretReply{Value: v}}
	return nil
}

func (h *Host) deviceChanged(n *entry, device string, reply *pb.HubReply) error {
	if !h.owns(n.Name, device) {
		return denied("speaking for device " + clip(device, 64))
	}
	h.Changed(device)
	reply.R = done()
	return nil
}

func anyOf(list []string, wants ...string) bool {
	for _, have := range list {
		for _, w := range wants {
			if have == w {
				return true
			}
		}
	}
	return false
}

func (h *Host) subscribeCall(n *entry, m *pb.Subscribe, reply *pb.HubReply) error {
	if len(m.GetFilters()) == 0 || len(m.GetFilters()) > 64 || !cursorName.MatchString(m.GetName()) {
		return refusal{pb.Code_CODE_INVALID, "subscribe: want 1 to 64 filters and a name of at most 64 of a-z, 0-9, _ and -"}
	}
	for _, f := range m.GetFilters() {
		if err := event.CheckFilter(f); err != nil {
			return refusal{pb.Code_CODE_INVALID, err.Error()}
		}
		if !covered(n.granted().GetSubscribe(), f) {
			return denied("subscribing to " + f)
		}
	}
	h.mu.RLock()
	s := h.sessions[n.Name]
	h.mu.RUnlock()
	if s == nil {
		return refusal{pb.Code_CODE_UNAVAILABLE, "the streams are not open yet"}
	}
	name := ""
	if m.GetName() != "" {
		name = "plugin/" + n.Name + "/" + m.GetName()
	}
	from := bus.FromCursor
	switch m.GetFrom() {
	case pb.Subscribe_FROM_NOW:
		from = bus.FromNow
	case pb.Subscribe_FROM_START:
		from = bus.FromStart
	}
	id, err := s.subscribe(name, m.GetFilters(), from)
	if err != nil {
		return err
	}
	reply.R = &pb.HubReply_Subscribe{Subscribe: &pb.SubscribeReply{Subscription: id}}
	return nil
}

// covered tells whether a granted filter takes all that f takes: a wildcard of f
// is a token that only a wildcard matches.
func covered(granted []string, f string) bool {
	deep := strings.HasSuffix(f, "**")
	for _, g := range granted {
		// Match takes f for a subject, and * takes any one token: also a ** that stands for many.
		if g == f || event.Match(g, f) && (!deep || strings.HasSuffix(g, "**")) {
			return true
		}
	}
	return false
}

func (h *Host) unsubscribe(plugin string, id uint32, reply *pb.HubReply) error {
	h.mu.RLock()
	s := h.sessions[plugin]
	h.mu.RUnlock()
	if s == nil {
		return refusal{pb.Code_CODE_UNAVAILABLE, "the streams are not open yet"}
	}
	s.mu.Lock()
	sub, ok := s.subs[id]
	delete(s.subs, id)
	s.mu.Unlock()
	if !ok {
		return refusal{pb.Code_CODE_NOT_FOUND, fmt.Sprintf("subscription %d: there is none", id)}
	}
	sub.Close()
	reply.R = done()
	return nil
}

// mayRead: a plugin sees its own cameras, and with media.read all of them.
func (h *Host) mayRead(n *entry, camera string) error {
	if _, ok := h.Cameras.Camera(camera); !ok {
		return refusal{pb.Code_CODE_NOT_FOUND, fmt.Sprintf("camera %q: there is none", clip(camera, 64))}
	}
	if !n.granted().GetMediaRead() && !h.owns(n.Name, camera) {
		return denied("reading the pictures of camera " + camera)
	}
	return nil
}

// streamName: streams are made on first use, so no other than these may be named.
func streamName(s string) (string, error) {
	switch s {
	case "":
		return "main", nil
	case "main", "sub":
		return s, nil
	}
	return "", refusal{pb.Code_CODE_INVALID, fmt.Sprintf("stream %q: want main or sub", clip(s, 64))}
}

// seconds of a plugin as a duration; not a number and below zero are none, and an
// hour is more than anything here keeps.
func seconds(s float64) time.Duration {
	if !(s > 0) {
		return 0
	}
	return time.Duration(min(s, 3600) * float64(time.Second))
}

func (h *Host) openMedia(n *entry, m *pb.OpenMedia, reply *pb.HubReply) error {
	stream, err := streamName(m.GetStream())
	if err != nil {
		return err
	}
	switch m.GetDirection() {
	case pb.OpenMedia_DIRECTION_PUBLISH:
		if !n.granted().GetMediaPublish() || !h.owns(n.Name, m.GetCamera()) {
			return denied("publishing pictures of camera " + clip(m.GetCamera(), 64))
		}
		tracks := make([]av.Track, 0, len(m.GetTracks()))
		for _, t := range m.GetTracks() {
			tracks = append(tracks, TrackFromProto(t))
		}
		token, err := h.Media.PublishToken(n.Name, m.GetCamera(), stream, tracks)
		if err != nil {
			return err
		}
		reply.R = &pb.HubReply_OpenMedia{OpenMedia: &pb.OpenMediaReply{Token: token, Rendition: "copy", Tracks: m.GetTracks()}}
		return nil
	case pb.OpenMedia_DIRECTION_READ:
		if err := h.mayRead(n, m.GetCamera()); err != nil {
			return err
		}
		g, err := h.Media.ReadToken(n.Name, readFromProto(m, stream))
		if err != nil {
			return err
		}
		reply.R = &pb.HubReply_OpenMedia{OpenMedia: &pb.OpenMediaReply{Token: g.Token, Rendition: g.Rendition, Tracks: TracksToProto(g.Tracks)}}
		return nil
	}
	return refusal{pb.Code_CODE_INVALID, "open media: want the direction publish or read"}
}

func (h *Host) describeMedia(n *entry, camera string, reply *pb.HubReply) error {
	if err := h.mayRead(n, camera); err != nil {
		return err
	}
	r := &pb.DescribeMediaReply{Talk: h.talkTracks(camera)}
	for _, s := range h.Media.Describe(camera) {
		d := &pb.StreamDescription{Name: s.Name, Live: s.Live, PrebufferSeconds: s.Prebuffer.Seconds(), Tracks: TracksToProto(s.Tracks)}
		for _, t := range d.Tracks {
			if t.Kind == string(av.Video) {
				t.KeyIntervalSeconds, t.Bitrate = s.KeyInterval.Seconds(), s.Bitrate
			}
		}
		r.Streams = append(r.Streams, d)
	}
	reply.R = &pb.HubReply_DescribeMedia{DescribeMedia: r}
	return nil
}

func (h *Host) snapshot(ctx context.Context, n *entry, m *pb.SnapshotGet, reply *pb.HubReply) error {
	if m.GetHandle() != "" {
		return fmt.Errorf("snapshot by handle: %w", ErrNotYet) // a picture of now would be another one
	}
	if err := h.mayRead(n, m.GetCamera()); err != nil {
		return err
	}
	if m.GetWidth() > maxJPEGSide || m.GetHeight() > maxJPEGSide {
		return refusal{pb.Code_CODE_INVALID, fmt.Sprintf("snapshot: at most %d pixels a side", maxJPEGSide)}
	}
	s, err := h.Media.SnapshotToken(ctx, n.Name, m.GetCamera(), int(m.GetWidth()), int(m.GetHeight()), m.GetMaxAge().AsDuration(), m.GetReason() == forEvent)
	if err != nil {
		return err
	}
	reply.R = &pb.HubReply_Snapshot{Snapshot: &pb.SnapshotReply{Token: s.Token, Taken: timestamppb.New(s.Taken),
		Age: durationpb.New(max(0, h.Now().Sub(s.Taken))), Width: uint32(s.Width), Height: uint32(s.Height)}}
	return nil
}

func (h *Host) hold(n *entry, m *pb.HoldPrebuffer, reply *pb.HubReply) error {
	if err := h.mayRead(n, m.GetCamera()); err != nil {
		return err
	}
	stream, err := streamName(m.GetStream())
	if err != nil {
		return err
	}
	held, err := h.Media.Hold(n.Name, m.GetCamera(), stream, seconds(m.GetSeconds()))
	if err != nil {
		return err
	}
	reply.R = &pb.HubReply_HoldPrebuffer{HoldPrebuffer: &pb.HoldPrebufferReply{Seconds: held.Seconds()}}
	return nil
}

func (h *Host) keyFrame(ctx context.Context, n *entry, m *pb.RequestKeyFrame, reply *pb.HubReply) error {
	if err := h.mayRead(n, m.GetCamera()); err != nil {
		return err
	}
	stream, err := streamName(m.GetStream())
	if err != nil {
		return err
	}
	c, _ := h.Cameras.Camera(m.GetCamera())
	if c.Plugin == "" {
		return refusal{pb.Code_CODE_UNSUPPORTED, "camera " + c.ID + " has no plugin that could be asked"}
	}
	// Also where the hub pulls: an RTSP camera that ignores a wish for a key frame looks
	// like one that grants it, and who waits for that shows nothing for a whole interval.
	r, err := h.Commander.Command(ctx, c.Plugin, &pb.Command{C: &pb.Command_CameraKeyFrame{
		CameraKeyFrame: &pb.CameraKeyFrame{Camera: c.ID, Stream: stream}}})
	if err != nil {
		return err
	}
	if e := r.GetError(); e.GetCode() != pb.Code_CODE_OK {
		return refusal{e.GetCode(), clip(e.GetMessage(), 300)}
	}
	reply.R = done()
	return nil
}
