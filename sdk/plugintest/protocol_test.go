package plugintest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
)

var update = flag.Bool("update", false, "write the golden list anew")

// The list of all that protocol 1 can say: every method, field and value. One that
// goes, changes its type or gets another number breaks plugins that are out there; one
// that comes stands in the diff.
func TestProtocolGolden(t *testing.T) {
	var b strings.Builder
	methods := pluginv1grpc.File_porchlight_plugin_v1_service_proto.Services().ByName("Plugin").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		fmt.Fprintf(&b, "rpc %s(%s) %s stream=%t\n", m.Name(), m.Input().Name(), m.Output().Name(), m.IsStreamingServer())
	}
	for _, f := range []protoreflect.FileDescriptor{
		pb.File_porchlight_plugin_v1_messages_proto, pb.File_porchlight_plugin_v1_event_proto, pb.File_porchlight_plugin_v1_media_proto,
	} {
		listEnums(&b, "", f.Enums())
		for i := range f.Messages().Len() {
			listMessage(&b, f.Messages().Get(i))
		}
	}
	const golden = "testdata/protocol.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the protocol is not what %s lists (go test -update writes it anew):\n%s", golden, b.String())
	}
}

func listMessage(b *strings.Builder, m protoreflect.MessageDescriptor) {
	listEnums(b, string(m.Name())+".", m.Enums())
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		of := f.Kind().String()
		switch {
		case f.IsMap():
			of = "map<" + f.MapKey().Kind().String() + ", " + f.MapValue().Kind().String() + ">"
		case f.Message() != nil:
			of = string(f.Message().Name())
		case f.Enum() != nil:
			of = string(f.Enum().Name())
		}
		switch {
		case f.IsList():
			of = "repeated " + of
		case f.HasOptionalKeyword():
			of = "optional " + of
		case f.ContainingOneof() != nil:
			of = "oneof " + of
		}
		note := ""
		if m.Name() == "HubCall" && slices.Contains(plugintest.NotYet(), string(f.Name())) {
			note = " (not yet)"
		}
		fmt.Fprintf(b, "%s.%s %s = %d%s\n", m.Name(), f.Name(), of, f.Number(), note)
	}
}

func listEnums(b *strings.Builder, in string, es protoreflect.EnumDescriptors) {
	for i := range es.Len() {
		for j := range es.Get(i).Values().Len() {
			v := es.Get(i).Values().Get(j)
			fmt.Fprintf(b, "%s%s.%s = %d\n", in, es.Get(i).Name(), v.Name(), v.Number())
		}
	}
}

// hubCalls makes every hub call once, by its name in the protocol.
func hubCalls() map[string]func(context.Context, *sdk.Hub) error {
	return map[string]func(context.Context, *sdk.Hub) error{
		"dial": func(ctx context.Context, h *sdk.Hub) error { _, err := h.Dial(ctx, "tcp", "192.0.2.1:80"); return err },
		"discover": func(ctx context.Context, h *sdk.Hub) error {
			_, err := h.Discover(ctx, "mdns", "_http._tcp", time.Second)
			return err
		},
		"secret":    func(ctx context.Context, h *sdk.Hub) error { return notFound(h.Secret(ctx, "door")) },
		"kv_get":    func(ctx context.Context, h *sdk.Hub) error { return notFound(h.KVGet(ctx, "absent")) },
		"kv_put":    func(ctx context.Context, h *sdk.Hub) error { return h.KVPut(ctx, "a/b", []byte("v")) },
		"kv_list":   func(ctx context.Context, h *sdk.Hub) error { _, err := h.KVList(ctx, "a/"); return err },
		"kv_delete": func(ctx context.Context, h *sdk.Hub) error { return h.KVDelete(ctx, "a/b") },
		"snapshot": func(ctx context.Context, h *sdk.Hub) error {
			return notFound(h.Snapshot(ctx, sdk.SnapshotRequest{Camera: "front_door"}))
		},
		"open_media": func(ctx context.Context, h *sdk.Hub) error {
			return published(h.PublishMedia(ctx, "front_door", "main"))
		},
		"open_talk": func(ctx context.Context, h *sdk.Hub) error {
			p, _, err := h.OpenTalk(ctx, "front_door", "phone", av.Track{ID: 1, Kind: av.Sound, Codec: av.Opus, ClockRate: 48000})
			return published(p, err)
		},
		"describe_media":    func(ctx context.Context, h *sdk.Hub) error { _, err := h.DescribeMedia(ctx, "front_door"); return err },
		"request_key_frame": func(ctx context.Context, h *sdk.Hub) error { return h.RequestKeyFrame(ctx, "front_door", "main") },
		"hold_prebuffer": func(ctx context.Context, h *sdk.Hub) error {
			d, err := h.HoldPrebuffer(ctx, "front_door", "main", 4*time.Second)
			if err == nil && d != 4*time.Second {
				err = fmt.Errorf("held %s", d)
			}
			return err
		},
		"http_fetch": func(ctx context.Context, h *sdk.Hub) error {
			_, err := h.HTTPFetch(ctx, sdk.FetchRequest{URL: "http://192.0.2.1/"})
			return err
		},
		"register_webhook": func(ctx context.Context, h *sdk.Hub) error { _, err := h.RegisterWebhook(ctx, "button"); return err },
		"subscribe":        func(ctx context.Context, h *sdk.Hub) error { _, err := subscribed(ctx, h); return err },
		"unsubscribe": func(ctx context.Context, h *sdk.Hub) error {
			s, err := subscribed(ctx, h)
			if err != nil {
				return err
			}
			return s.Close(ctx)
		},
		"open_repair": func(ctx context.Context, h *sdk.Hub) error {
			return h.OpenRepair(ctx, sdk.Repair{Key: "k", Title: "t"})
		},
		"close_repair": func(ctx context.Context, h *sdk.Hub) error { return h.CloseRepair(ctx, "k") },
		"list_cameras": func(ctx context.Context, h *sdk.Hub) error { _, err := h.Cameras(ctx); return err },
		"act_on_device": func(ctx context.Context, h *sdk.Hub) error {
			return h.Act(ctx, "front_door", sdk.RelayPulse{Relay: "1"})
		},
		"cut_clip": func(ctx context.Context, h *sdk.Hub) error {
			_, err := h.CutClip(ctx, sdk.ClipRequest{Camera: "front_door"})
			return err
		},
		"device_changed": func(ctx context.Context, h *sdk.Hub) error { return h.DeviceChanged(ctx, "front_door") },
		"describe_house": func(ctx context.Context, h *sdk.Hub) error { _, err := h.House(ctx); return err },
		"set_quiet":      func(ctx context.Context, h *sdk.Hub) error { return h.SetQuiet(ctx, "", true, time.Hour) },
		"set_mode":       func(ctx context.Context, h *sdk.Hub) error { return h.SetMode(ctx, "away") },
		"play_chime":     func(ctx context.Context, h *sdk.Hub) error { _, err := h.PlayChime(ctx, "hallway", ""); return err },
		"ask_owner":      func(ctx context.Context, h *sdk.Hub) error { return h.AskOwner(ctx, sdk.Question{Prompt: "p"}) },
	}
}

// notFound takes "not found" as the right answer: the kit's house is empty.
func notFound[T any](_ T, err error) error {
	if errors.Is(err, sdk.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("want not found, have %w", err)
}

func published(p *av.Publisher, err error) error {
	if err != nil {
		return err
	}
	return p.Close()
}

func subscribed(ctx context.Context, h *sdk.Hub) (*sdk.Subscription, error) {
	return h.Subscribe(ctx, sdk.SubscribeRequest{Filters: []string{"camera.**"}, From: sdk.FromNow}, func(context.Context, sdk.Delivery) error { return nil })
}

// Every hub call of the protocol has a method of sdk.Hub, which works, or answers
// ErrNotYet where the hub of this version cannot do it; the test of what it will do
// then is skipped by its name.
func TestHubCalls(t *testing.T) {
	ctx := limit(t)
	g := newGood().(*good)
	plugintest.Start(t, func() sdk.Plugin { return g }, plugintest.Options{})
	<-g.started
	calls := hubCalls()
	fields := (&pb.HubCall{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		t.Run(name, func(t *testing.T) {
			call, ok := calls[name]
			if !ok {
				t.Fatal("no method of sdk.Hub makes this call")
			}
			err := call(ctx, g.hub)
			if !slices.Contains(plugintest.NotYet(), name) {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, sdk.ErrNotYet) {
				t.Fatalf("want not yet, have %v", err)
			}
			t.Run("works", func(t *testing.T) { t.Skipf("not yet: %s", name) })
		})
	}
}

// What can be asked for or told and this hub does not do yet, though the words are final: the
// request is proved whole beside the sdk's methods, the answer waits by its name.
func TestVariantsNotYet(t *testing.T) {
	for _, name := range []string{
		"open_media with a rendition of video", "open_media with a rendition of sound", "snapshot of H.264 without a decoder",
		"snapshot by the handle of an event", "event of another hub", "visit", "mode", "schedule",
		"camera.source of a stream to pull", "camera.demand at a ring", "repair with a button",
		"adapter stdio"} {
		t.Run(name, func(t *testing.T) { t.Skipf("not yet: %s", name) })
	}
}

// docs/protocol.md lists the commands and the calls out of the protocol itself.
func TestProtocolPage(t *testing.T) {
	const page = "../../docs/protocol.md"
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, string(have), "commands", commandTable(t))
	want = between(t, want, "calls", callTable())
	if want == string(have) {
		return
	}
	if !*update {
		t.Fatalf("%s does not list what the protocol has (go test -update writes it anew)", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func between(t *testing.T, page, name, table string) string {
	t.Helper()
	head, rest, ok := strings.Cut(page, "<!-- "+name+":begin -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- "+name+":end -->\n")
	if !ok || !ok2 {
		t.Fatalf("the page has no place for the %s", name)
	}
	return head + "<!-- " + name + ":begin -->\n" + table + "<!-- " + name + ":end -->\n" + tail
}

// commandTable pairs each command of the protocol with its name in Description.commands.
func commandTable(t *testing.T) string {
	names := map[string]string{"selfcheck": "test.selfcheck", "action": "action"}
	var b strings.Builder
	b.WriteString("| command | message |\n|---|---|\n")
	fields := (&pb.Command{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := names[string(f.Name())]
		if name == "" {
			name = strings.Replace(string(f.Name()), "_", ".", 1)
		}
		if !slices.Contains(manifest.Commands(), name) {
			t.Errorf("%s is no command that a manifest can name", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, f.Message().Name())
	}
	return b.String()
}

func callTable() string {
	var b strings.Builder
	b.WriteString("| call | message | in this hub |\n|---|---|---|\n")
	fields := (&pb.HubCall{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		f, there := fields.Get(i), "works"
		if slices.Contains(plugintest.NotYet(), string(f.Name())) {
			there = "not yet"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name(), f.Message().Name(), there)
	}
	return b.String()
}
