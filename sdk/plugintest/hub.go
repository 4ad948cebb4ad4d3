package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// Options say what the plugin under test is given.
type Options struct {
	// Entry is its name in the config; empty: the last word of its id.
	Entry string
	// Config is the entry's settings as JSON; empty: none.
	Config json.RawMessage
	// Devices name the plugin in the config. Empty: one doorbell "front_door" for a
	// camera plugin, one chime "hallway" for a chime.
	Devices []sdk.Device
	// BadConfig, where given, must be refused by Check with the path of what is wrong.
	BadConfig json.RawMessage
	// DataDir and InstanceDir; empty: fresh ones. An instance directory's path is short.
	DataDir, InstanceDir string
	// Env are more variables ("NAME=value") for a plugin in a process of its own.
	Env []string
	// Only names the rules to try; empty: all.
	Only []string
	// Skip names rules that do not apply, each with the reason.
	Skip map[string]string
	// Events of the flood in the growth rule; 0: 10,000.
	Events int
}

// Hub is the kit's hub with one plugin connected.
type Hub struct {
	o      Options // settled by describe
	client pluginv1grpc.PluginClient
	media  *media
	gone   <-chan struct{} // closed when the plugin has ended
	desc   *pb.Description
	man    manifest.Manifest

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at each change
	setup     *pb.ConfigureRequest
	events    []sdk.Event
	repeats   map[string]int // publishes by id
	bad       []string       // publishes that the hub would refuse
	logs      []*pb.Log
	repairs   []*pb.Repair
	acks      map[uint64]*pb.EventAck
	replies   map[string]*pb.Reply
	calls     []string // names of the hub calls made
	kv        map[string][]byte
	cameras   []sdk.CameraInfo // nil: those of the plugin's own devices
	house     sdk.House
	acts      []Acted
	subs      uint32
	lastID    uint64
	lastSeq   uint64
	answer    func(*pb.Event) *pb.PublishResult // nil: durable
	refuse    pb.Code                           // with which all calls and publishes are answered; 0: none
	urgent    *link[*pb.UrgentFromHub]
	link      *link[*pb.FromHub]
	published int
}

// link is one open stream.
type link[Out any] struct {
	mu     sync.Mutex // one Send at a time
	send   func(Out) error
	cancel context.CancelFunc
	done   chan struct{} // closed when its reader has ended
}

func newHub(r *running, o Options) (*Hub, error) {
	h := &Hub{
		o: o, client: wire.NewClient(r.conn), gone: r.exited, changed: make(chan struct{}),
		repeats: make(map[string]int), acks: make(map[uint64]*pb.EventAck), replies: make(map[string]*pb.Reply), kv: make(map[string][]byte),
	}
	var err error
	h.media, err = listenMedia(o.InstanceDir)
	return h, err
}

// describe asks who the plugin is, and settles what the options leave open.
func (h *Hub) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d, err := h.client.Describe(ctx, &pb.DescribeRequest{HubVersion: "plugintest"})
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	h.desc = d
	if h.man, err = manifest.FromJSON([]byte(d.GetManifest())); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if len(h.o.Devices) == 0 {
		if h.man.Has(manifest.Camera) {
			h.o.Devices = append(h.o.Devices, sdk.Device{ID: "front_door", Name: "Front door", Kind: "doorbell"})
		}
		if h.man.Has(manifest.Chime) {
			h.o.Devices = append(h.o.Devices, sdk.Device{ID: "hallway", Name: "Hallway", Kind: "chime"})
		}
	}
	h.note(h.furnish)
	return nil
}

func (h *Hub) devices() []*pb.DeviceEntry {
	var out []*pb.DeviceEntry
	for _, d := range h.o.Devices {
		out = append(out, &pb.DeviceEntry{Id: d.ID, Name: d.Name, Kind: d.Kind, Config: string(d.JSON)})
	}
	return out
}

// configure hands over the config with all that the manifest asks for, or nothing.
func (h *Hub) configure(ctx context.Context, config json.RawMessage, granted bool) (*pb.ConfigureResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r := &pb.ConfigureRequest{
		Revision: 1, Config: string(config), Devices: h.devices(), Entry: h.o.Entry, DataDir: h.o.DataDir, InstanceDir: h.o.InstanceDir,
		HubName: "Test house", Timezone: "UTC", Grant: &pb.Grant{},
	}
	if granted {
		r.Grant = h.man.Permissions.Grant(nil)
	}
	h.mu.Lock()
	if h.setup != nil {
		r.Revision = h.setup.GetRevision() + 1
	}
	h.setup = r
	h.mu.Unlock()
	return h.client.Configure(ctx, r)
}

// open opens both streams.
func (h *Hub) open(ctx context.Context) error {
	uctx, ucancel := context.WithCancel(ctx)
	u, err := h.client.Urgent(uctx)
	if err != nil {
		ucancel()
		return fmt.Errorf("urgent: %w", err)
	}
	lctx, lcancel := context.WithCancel(ctx)
	l, err := h.client.Link(lctx)
	if err != nil {
		ucancel()
		lcancel()
		return fmt.Errorf("link: %w", err)
	}
	ul := &link[*pb.UrgentFromHub]{send: u.Send, cancel: ucancel, done: make(chan struct{})}
	ll := &link[*pb.FromHub]{send: l.Send, cancel: lcancel, done: make(chan struct{})}
	h.mu.Lock()
	h.urgent, h.link = ul, ll
	h.mu.Unlock()
	go func() {
		defer close(ul.done)
		for m, err := u.Recv(); err == nil; m, err = u.Recv() {
			h.fromUrgent(ul, m)
		}
	}()
	go func() {
		defer close(ll.done)
		for m, err := l.Recv(); err == nil; m, err = l.Recv() {
			h.fromLink(ll, m)
		}
	}()
	return nil
}

// breakStreams closes both streams, as a hub that lost its way would.
func (h *Hub) breakStreams() {
	h.mu.Lock()
	u, l := h.urgent, h.link
	h.urgent, h.link = nil, nil
	h.mu.Unlock()
	if u != nil {
		u.cancel()
		l.cancel()
		<-u.done
		<-l.done
	}
}

func (l *link[Out]) put(m Out) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.send(m)
}

func (h *Hub) fromUrgent(l *link[*pb.UrgentFromHub], m *pb.UrgentFromPlugin) {
	switch m := m.GetM().(type) {
	case *pb.UrgentFromPlugin_Publish:
		if r := h.take(m.Publish.GetEvent(), true); r != nil {
			_ = l.put(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Result{Result: r}})
		}
	case *pb.UrgentFromPlugin_Ack:
		h.note(func() { h.acks[m.Ack.GetSeq()] = m.Ack })
	case *pb.UrgentFromPlugin_Reply:
		h.note(func() { h.replies[m.Reply.GetId()] = m.Reply })
	}
}

func (h *Hub) fromLink(l *link[*pb.FromHub], m *pb.FromPlugin) {
	switch m := m.GetM().(type) {
	case *pb.FromPlugin_Publish:
		if r := h.take(m.Publish.GetEvent(), false); r != nil {
			_ = l.put(&pb.FromHub{M: &pb.FromHub_Result{Result: r}})
		}
	case *pb.FromPlugin_Ack:
		h.note(func() { h.acks[m.Ack.GetSeq()] = m.Ack })
	case *pb.FromPlugin_Reply:
		h.note(func() { h.replies[m.Reply.GetId()] = m.Reply })
	case *pb.FromPlugin_Call:
		r := h.hubCall(m.Call)
		r.Id = m.Call.GetId()
		_ = l.put(&pb.FromHub{M: &pb.FromHub_Reply{Reply: r}})
		if q := m.Call.GetSetQuiet(); q != nil && r.GetError() == nil {
			h.quieted(q)
		}
	case *pb.FromPlugin_Log:
		h.note(func() { h.logs = append(h.logs, m.Log) })
	case *pb.FromPlugin_Repair:
		h.note(func() { h.repairs = append(h.repairs, m.Repair) })
	}
}

// note changes the state and wakes those that wait for it.
func (h *Hub) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// await waits until holds, which is called with the lock held, says yes.
func (h *Hub) await(ctx context.Context, holds func() bool) error {
	for {
		h.mu.Lock()
		ok, changed := holds(), h.changed
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-h.gone:
			return errGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take is a publish: it is checked as the true hub does, kept, and answered (nil: not at all).
func (h *Hub) take(m *pb.Event, urgent bool) (result *pb.PublishResult) {
	h.note(func() {
		result = &pb.PublishResult{EventId: m.GetId(), Outcome: pb.PublishResult_OUTCOME_DURABLE}
		h.published++
		h.repeats[m.GetId()]++
		if h.refuse != 0 {
			result.Outcome, result.Error = pb.PublishResult_OUTCOME_REJECTED, &pb.Error{Code: h.refuse, Message: "refused by the test"}
			return
		}
		e, err := event.FromProto(m)
		switch {
		case err != nil:
			h.bad = append(h.bad, err.Error())
		case !event.MatchAny(h.setup.GetGrant().GetPublish(), e.Subject):
			h.bad = append(h.bad, fmt.Sprintf("subject %s is not among the manifest's publish filters", e.Subject))
		case urgent != (e.Class() == event.ClassCritical):
			h.bad = append(h.bad, fmt.Sprintf("subject %s came over the wrong stream: rings go over Urgent, all else over Link", e.Subject))
		}
		if err != nil {
			result.Outcome, result.Error = pb.PublishResult_OUTCOME_REJECTED, &pb.Error{Code: pb.Code_CODE_INVALID, Message: err.Error()}
			return
		}
		if h.repeats[m.GetId()] > 1 {
			result.Outcome = pb.PublishResult_OUTCOME_DUPLICATE
		} else {
			h.lastSeq++
			e.Seq = h.lastSeq
			h.events = append(h.events, e)
		}
		result.Seq = e.Seq
		if h.answer != nil {
			result = h.answer(m)
		}
	})
	return result
}

// nextID is an id for a command; nextSeq a number for an event.
func (h *Hub) nextID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastID++
	return strconv.FormatUint(h.lastID, 10)
}

func (h *Hub) nextSeq() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastSeq++
	return h.lastSeq
}

var (
	errNoStream = errors.New("no stream is open")
	errGone     = errors.New("the plugin has ended")
)

// command sends a command and waits for the reply, a second past its deadline at most.
func (h *Hub) command(ctx context.Context, c *pb.Command) (*pb.Reply, error) {
	c = proto.CloneOf(c)
	c.Id = h.nextID()
	wait := 10 * time.Second
	if d := c.GetDeadline().AsDuration(); d > 0 {
		wait = d
	} else {
		c.Deadline = durationpb.New(wait)
	}
	ctx, cancel := context.WithTimeout(ctx, wait+grace)
	defer cancel()
	_, play := c.GetC().(*pb.Command_ChimePlay)
	_, stop := c.GetC().(*pb.Command_ChimeStop)
	h.mu.Lock()
	u, l := h.urgent, h.link
	h.mu.Unlock()
	if u == nil {
		return nil, errNoStream
	}
	var err error
	if play || stop {
		err = u.put(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: c}})
	} else {
		err = l.put(&pb.FromHub{M: &pb.FromHub_Command{Command: c}})
	}
	if err != nil {
		return nil, fmt.Errorf("command: send: %w", err)
	}
	err = h.await(ctx, func() bool { return h.replies[c.Id] != nil })
	if errors.Is(err, errGone) {
		return nil, fmt.Errorf("command: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("command: no reply within %s of its deadline of %s", grace, wait)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.replies[c.Id]
	delete(h.replies, c.Id)
	return r, nil
}

// deliver sends an event to the plugin; number is its seq.
func (h *Hub) deliver(e sdk.Event, sub uint32, replay bool) error {
	d := &pb.Deliver{Event: event.ToProto(&e), Subscription: sub, Age: durationpb.New(time.Millisecond), Replay: replay, Attempt: 1}
	h.mu.Lock()
	u, l := h.urgent, h.link
	h.mu.Unlock()
	if u == nil {
		return errNoStream
	}
	if e.Class() == event.ClassCritical {
		return u.put(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Deliver{Deliver: d}})
	}
	return l.put(&pb.FromHub{M: &pb.FromHub_Deliver{Deliver: d}})
}

// acked waits for the ack of a seq and takes it.
func (h *Hub) acked(ctx context.Context, seq uint64) (*pb.EventAck, error) {
	if err := h.await(ctx, func() bool { return h.acks[seq] != nil }); err != nil {
		return nil, fmt.Errorf("event %d was not acknowledged: %w", seq, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.acks[seq]
	delete(h.acks, seq)
	return a, nil
}

func (h *Hub) snapshotEvents() []sdk.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}
