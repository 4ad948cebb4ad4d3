package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/secrets"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

type house map[string]Camera

func (h house) Camera(id string) (Camera, bool) { c, ok := h[id]; return c, ok }

func (h house) Cameras() []Camera {
	var out []Camera
	for _, c := range h {
		out = append(out, c)
	}
	return out
}

func (house) Saw(string, time.Time) {}

func (house) Detail(id string) Detail {
	d := Detail{OfflineReason: "it rains", Talk: true, Snapshot: true, Status: map[string]string{"battery": "80"}}
	if id == "yard" {
		d.Device = &pb.DeviceDescription{Model: "Y2", Relays: []*pb.Choice{{Id: "gate"}}, Lights: []*pb.Choice{{Id: "lamp"}},
			Presets: []*pb.Choice{{Id: "street"}}, Modes: []*pb.Choice{{Id: "night_vision", Values: []string{"auto", "on", "off"}}}}
	}
	return d
}

type overloads struct {
	mu    sync.Mutex
	names []string
}

func (o *overloads) Overloaded(plugin string, _ time.Time, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.names = append(o.names, plugin)
}

// noMedia hands out tokens that lead nowhere; the sockets have their own tests.
type noMedia struct{}

func (noMedia) PublishToken(plugin, camera, stream string, _ []av.Track) (string, error) {
	return strings.Join([]string{"publish", plugin, camera, stream}, " "), nil
}

func (noMedia) ReadToken(plugin string, r MediaRead) (MediaGrant, error) {
	return MediaGrant{Token: "read " + plugin + " " + r.Camera, Rendition: "copy"}, nil
}

func (noMedia) SnapshotToken(_ context.Context, plugin, camera string, _, _ int, _ time.Duration, _ bool) (Snapshot, error) {
	return Snapshot{Token: "jpeg " + plugin + " " + camera}, nil
}
func (noMedia) Describe(string) []Stream { return []Stream{{Name: "main", Live: true}} }
func (noMedia) Hold(_, _, _ string, d time.Duration) (time.Duration, error) {
	return min(d, 30*time.Second), nil
}

type fixture struct {
	*Host
	bus   *bus.Bus
	over  *overloads
	clock *atomic.Int64 // offset of the clock in ns
	// changed has the devices that a plugin said have changed; a test makes few.
	changed chan string
}

func newHost(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Options{Journal: filepath.Join(dir, "journal.db"), Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	sec, err := secrets.Open(filepath.Join(dir, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	f := &fixture{bus: b, over: &overloads{}, clock: &atomic.Int64{}, changed: make(chan string, 8)}
	f.Host, err = New(t.Context(), Deps{Bus: b, DB: db, Cameras: house{
		"porch": {ID: "porch", Name: "Porch", Kind: "doorbell", Plugin: "bell", IgnoreOlderThan: 15 * time.Second},
		"yard":  {ID: "yard", Name: "Yard", Kind: "camera", Plugin: "other"},
	}, Media: noMedia{}, Secrets: sec, Supervisor: f.over, Changed: func(device string) { f.changed <- device }, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return start.Add(time.Duration(f.clock.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = b.Serve(ctx) })
	run.Go(func() { _ = f.Serve(ctx) })
	t.Cleanup(func() { cancel(); run.Wait(); db.Close() })
	f.Apply([]Entry{{Name: "bell", Rates: DefaultRates()}, {Name: "other", Rates: DefaultRates(), Chimes: []string{"hall"}}})
	return f
}

func describe(p manifest.Permissions) *pb.Description {
	m := manifest.Manifest{ID: "dev.example.bell", Name: "Bell", Version: "1.0.0", Permissions: p}
	return &pb.Description{Manifest: string(m.JSON())}
}

func (f *fixture) grant(t *testing.T, plugin string, p manifest.Permissions) *pb.Grant {
	t.Helper()
	g, err := f.Grant(plugin, true, nil, describe(p))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (f *fixture) publish(t *testing.T, plugin string, urgent bool, e event.Event) *pb.PublishResult {
	t.Helper()
	got := make(chan *pb.PublishResult, 1)
	f.Publish(t.Context(), plugin, urgent, event.ToProto(&e), func(r *pb.PublishResult) { got <- r })
	return <-got
}

func TestPublishIsHeldAgainstTheGrant(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Publish: []string{"camera.*.ring", "camera.*.motion", "camera.*.visit", "chime.*.played", "plugin.**", "system.**"}})
	ring := event.New(event.TypeRing, "porch", event.Ring{})
	forged := event.New(event.TypeRing, "porch", event.Ring{})
	forged.Source, forged.CameraName, forged.Seq, forged.Received = "hub", "Nobody", 1, time.Unix(1, 0)
	forged.Snapshot, forged.Hub, forged.TTL = "mine", "elsewhere", time.Hour
	mixed := event.New(event.TypeMotion, "porch", event.Motion{})
	mixed.Subject = "camera.porch.ring"
	crossed := event.New(event.TypeMotion, "porch", event.Motion{})
	crossed.Camera = "yard"
	state := event.Event{ID: event.NewID(), Type: event.TypePlugin, Subject: "plugin.bell.state", Data: event.PluginState{Plugin: "bell", State: "running"}}
	system := event.Event{ID: event.NewID(), Type: event.TypeSystem, Subject: "system.time", Data: event.System{}}
	chime := event.Event{ID: event.NewID(), Type: event.TypeChime, Subject: "chime.hall.played", Data: event.ChimeResult{}}
	for _, tt := range []struct {
		name   string
		urgent bool
		e      event.Event
		want   pb.Code
	}{
		{"own ring", true, ring, pb.Code_CODE_OK},
		{"another's camera", true, event.New(event.TypeRing, "yard", event.Ring{}), pb.Code_CODE_DENIED},
		{"a camera that is not there", true, event.New(event.TypeRing, "cellar", event.Ring{}), pb.Code_CODE_DENIED},
		{"not in the grant", false, event.New(event.TypePerson, "porch", event.Detection{}), pb.Code_CODE_DENIED},
		{"ring on the wrong stream", false, event.New(event.TypeRing, "porch", event.Ring{}), pb.Code_CODE_INVALID},
		{"motion on the urgent stream", true, event.New(event.TypeMotion, "porch", event.Motion{}), pb.Code_CODE_INVALID},
		{"motion that calls itself ring", false, mixed, pb.Code_CODE_DENIED},
		{"subject and camera differ", false, crossed, pb.Code_CODE_DENIED},
		{"the hub's word for its state", false, state, pb.Code_CODE_DENIED},
		{"the hub's own subject", false, system, pb.Code_CODE_DENIED},
		{"a visit, which the hub makes", false, event.New(event.TypeVisit, "porch", event.Visit{}), pb.Code_CODE_DENIED},
		{"another's chime", false, chime, pb.Code_CODE_DENIED},
		{"no event at all", false, event.Event{}, pb.Code_CODE_INVALID},
	} {
		r := f.publish(t, "bell", tt.urgent, tt.e)
		if r.GetError().GetCode() != tt.want {
			t.Errorf("%s: %s %q, want %s", tt.name, r.GetError().GetCode(), r.GetError().GetMessage(), tt.want)
		}
	}
	r := f.publish(t, "bell", true, forged)
	kept, err := f.bus.Event(t.Context(), forged.ID)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Source != "bell" || kept.CameraName != "Porch" || kept.Correlation != forged.ID || kept.Seq != r.GetSeq() || kept.Received.Unix() == 1 ||
		kept.Snapshot != "" || kept.Hub != "" || kept.TTL != 15*time.Second {
		t.Errorf("a plugin was believed: %+v", kept)
	}
	if len(f.Repairs().List()) == 0 {
		t.Error("many refusals opened no card")
	}
	if r := f.publish(t, "ghost", true, ring); r.GetError().GetCode() != pb.Code_CODE_DENIED {
		t.Errorf("an entry that is not there: %s", r.GetError().GetCode())
	}
}

func TestRatesNameTheFlooder(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Publish: []string{"camera.*.motion", "camera.*.ring"}})
	f.grant(t, "other", manifest.Permissions{Publish: []string{"camera.*.ring"}})
	burst := DefaultRates().Normal.Burst
	for i := range burst + 1 {
		r := f.publish(t, "bell", false, event.New(event.TypeMotion, "porch", event.Motion{Active: true}))
		if over := r.GetError().GetCode() == pb.Code_CODE_EXHAUSTED; over != (i == burst) {
			t.Fatalf("motion %d: %v", i, r.GetError())
		} else if over && r.GetError().GetRetryAfter().AsDuration() <= 0 {
			t.Error("no time to try again was given")
		}
	}
	if got := f.Flooding(); len(got) != 1 || got[0] != "bell" {
		t.Errorf("flooding: %v", got)
	}
	if len(f.over.names) != 1 || f.over.names[0] != "bell" {
		t.Errorf("the supervisor heard of %v", f.over.names)
	}
	// Its own ring and everybody else's still pass.
	if r := f.publish(t, "bell", true, event.New(event.TypeRing, "porch", event.Ring{})); r.GetError() != nil {
		t.Errorf("the flooder's ring: %v", r.GetError())
	}
	if r := f.publish(t, "other", true, event.New(event.TypeRing, "yard", event.Ring{})); r.GetError() != nil {
		t.Errorf("another's ring: %v", r.GetError())
	}
	f.clock.Add(int64(time.Minute))
	if got := f.Flooding(); len(got) != 0 {
		t.Errorf("a minute later flooding: %v", got)
	}
}

func TestGrantNarrowsAndNeverWidens(t *testing.T) {
	f := newHost(t)
	asks := manifest.Permissions{Publish: []string{"camera.*.ring", "camera.*.motion"}, Subscribe: []string{"camera.*.ring"},
		Media: manifest.Media{Publish: true, Read: true}, Secrets: "own"}
	narrow := json.RawMessage(`{"publish": ["camera.**", "neighborhood.alert"], "media": {"read": true}}`)
	g, err := f.Grant("bell", true, narrow, describe(asks))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(g.GetPublish(), " ") != "camera.*.ring camera.*.motion" || g.GetMediaPublish() || !g.GetMediaRead() ||
		len(g.GetSubscribe()) != 1 || len(g.GetSecrets()) != 1 {
		t.Errorf("bundled, narrowed: %v", g)
	}
	g, err = f.Grant("bell", false, narrow, describe(asks))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.GetSubscribe()) != 0 || len(g.GetSecrets()) != 0 || !g.GetMediaRead() {
		t.Errorf("by path it gets what its entry names: %v", g)
	}
	g, err = f.Grant("bell", false, nil, describe(asks))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(g.GetPublish(), " ") != "camera.porch.ring camera.porch.motion" || len(g.GetSubscribe()) != 0 || g.GetMediaRead() || !g.GetMediaPublish() {
		t.Errorf("by path without permissions: %v", g)
	}
	if _, err := f.Grant("bell", true, nil, describe(manifest.Permissions{Publish: []string{"camera.**.ring"}})); err == nil {
		t.Error("a filter that cannot be read was granted")
	}
	if _, err := f.Grant("bell", true, nil, &pb.Description{Manifest: "{"}); err == nil {
		t.Error("a manifest that cannot be read was granted")
	}
}

func (f *fixture) call(t *testing.T, plugin string, c *pb.HubCall) *pb.HubReply {
	t.Helper()
	c.Id = "7"
	r := f.Call(t.Context(), plugin, c)
	if r.GetId() != "7" {
		t.Errorf("reply has id %q", r.GetId())
	}
	return r
}

func TestKeysAreAPluginsOwnAndBounded(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{})
	f.grant(t, "other", manifest.Permissions{})
	put := func(plugin, key string, n int) pb.Code {
		return f.call(t, plugin, &pb.HubCall{C: &pb.HubCall_KvPut{KvPut: &pb.KVPut{Key: key, Value: make([]byte, n)}}}).GetError().GetCode()
	}
	if c := put("bell", "a/one", 3); c != pb.Code_CODE_OK {
		t.Fatalf("put: %s", c)
	}
	if c := put("bell", "Größe", 3); c != pb.Code_CODE_INVALID {
		t.Errorf("a bad key: %s", c)
	}
	if c := put("bell", "big", 5<<20); c != pb.Code_CODE_EXHAUSTED {
		t.Errorf("over the quota: %s", c)
	}
	if c := put("other", "big", 4<<20); c != pb.Code_CODE_OK {
		t.Errorf("another's quota is its own: %s", c)
	}
	get := f.call(t, "other", &pb.HubCall{C: &pb.HubCall_KvGet{KvGet: &pb.KVGet{Key: "a/one"}}})
	if get.GetKvGet().GetFound() {
		t.Error("a plugin reads another's key")
	}
	list := f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_KvList{KvList: &pb.KVList{Prefix: "a/"}}})
	if k := list.GetKvList().GetKeys(); len(k) != 1 || k[0] != "a/one" {
		t.Errorf("keys %v", k)
	}
	f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_KvDelete{KvDelete: &pb.KVDelete{Key: "a/one"}}})
	if f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_KvGet{KvGet: &pb.KVGet{Key: "a/one"}}}).GetKvGet().GetFound() {
		t.Error("a deleted key is still there")
	}
}

func TestCallsAreHeldAgainstTheGrant(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Media: manifest.Media{Publish: true}})
	open := func(d pb.OpenMedia_Direction, camera, stream string) *pb.HubReply {
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{Direction: d, Camera: camera, Stream: stream}}})
	}
	if r := open(pb.OpenMedia_DIRECTION_PUBLISH, "porch", ""); r.GetOpenMedia().GetToken() != "publish bell porch main" {
		t.Errorf("publish its own: %v", r)
	}
	for name, r := range map[string]*pb.HubReply{
		"publish another's":  open(pb.OpenMedia_DIRECTION_PUBLISH, "yard", "main"),
		"read another's":     open(pb.OpenMedia_DIRECTION_READ, "yard", "main"),
		"another's snapshot": f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_Snapshot{Snapshot: &pb.SnapshotGet{Camera: "yard"}}}),
		"subscribe":          f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_Subscribe{Subscribe: &pb.Subscribe{Filters: []string{"camera.**"}}}}),
		"secrets":            f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_Secret{Secret: &pb.SecretGet{Name: "token"}}}),
	} {
		if r.GetError().GetCode() != pb.Code_CODE_DENIED {
			t.Errorf("%s: %v", name, r)
		}
	}
	if r := open(pb.OpenMedia_DIRECTION_READ, "porch", "attic"); r.GetError().GetCode() != pb.Code_CODE_INVALID {
		t.Errorf("a stream that there is not: %v", r)
	}
	if r := f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_DescribeMedia{DescribeMedia: &pb.DescribeMedia{Camera: "cellar"}}}); r.GetError().GetCode() != pb.Code_CODE_NOT_FOUND {
		t.Errorf("a camera that there is not: %v", r)
	}
	if r := f.call(t, "bell", &pb.HubCall{}); r.GetError().GetCode() != pb.Code_CODE_INVALID {
		t.Errorf("an empty call: %v", r)
	}
	changed := func(device string) pb.Code {
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_DeviceChanged{DeviceChanged: &pb.DeviceChanged{Device: device}}}).GetError().GetCode()
	}
	if c := changed("porch"); c != 0 || <-f.changed != "porch" {
		t.Errorf("a change of its own camera: %v", c)
	}
	for _, device := range []string{"yard", "cellar", ""} {
		if c := changed(device); c != pb.Code_CODE_DENIED || len(f.changed) > 0 {
			t.Errorf("a change of %q, which is not its own: %v", device, c)
		}
	}
	for _, c := range []*pb.HubCall{
		{C: &pb.HubCall_Dial{}}, {C: &pb.HubCall_Discover{}}, {C: &pb.HubCall_OpenTalk{}}, {C: &pb.HubCall_HttpFetch{}},
		{C: &pb.HubCall_RegisterWebhook{}}, {C: &pb.HubCall_CutClip{}}, {C: &pb.HubCall_AskOwner{}},
		{C: &pb.HubCall_DescribeHouse{}}, {C: &pb.HubCall_SetQuiet{}}, {C: &pb.HubCall_SetMode{}}, {C: &pb.HubCall_PlayChime{}},
		{C: &pb.HubCall_Snapshot{Snapshot: &pb.SnapshotGet{Camera: "porch", Handle: "of an event"}}},
	} {
		if r := f.call(t, "bell", c); r.GetError().GetCode() != pb.Code_CODE_NOT_YET {
			t.Errorf("%T: %v", c.GetC(), r)
		}
	}
}

type outbox chan *pb.Deliver

func (o outbox) Deliver(ctx context.Context, _ bool, d *pb.Deliver) error {
	select {
	case o <- d:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestSessionDeliversAndTheTraceHearsOfIt(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Publish: []string{"camera.*.ring"}})
	f.grant(t, "other", manifest.Permissions{Subscribe: []string{"camera.*.ring"}})
	out := make(outbox, 8)
	s, err := f.Connected("other", out)
	if err != nil {
		t.Fatal(err)
	}
	ring := event.New(event.TypeRing, "porch", event.Ring{})
	f.publish(t, "bell", true, ring)
	d := <-out
	if d.GetEvent().GetId() != ring.ID || d.GetReplay() || d.GetAttempt() != 1 {
		t.Fatalf("delivered %v", d)
	}
	s.Ack(true, &pb.EventAck{Seq: d.GetEvent().GetSeq(), Subscription: d.GetSubscription()})
	takers := map[string]bool{}
	for len(takers) < 2 {
		list, err := f.bus.Events(t.Context(), bus.Query{Correlation: ring.ID, Types: []event.Type{event.TypeHop}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			takers[e.Data.(event.Hop).Taker] = true
		}
	}
	if !takers["journal"] || !takers["plugin other"] {
		t.Errorf("hops of %v", takers)
	}
	s.Close()

	// What comes while it is away is there when it is back, as a replay.
	missed := event.New(event.TypeRing, "porch", event.Ring{})
	f.publish(t, "bell", true, missed)
	again, err := f.Connected("other", out)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if d := <-out; d.GetEvent().GetId() != missed.ID || !d.GetReplay() {
		t.Errorf("after coming back: %v", d)
	}
}
