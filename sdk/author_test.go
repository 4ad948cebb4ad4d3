package sdk

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(context.Context, *Hub) error
		code int
		says string
	}{
		"error": {func(context.Context, *Hub) error { return errors.New("no camera") }, 1, "no camera"},
		"panic": {func(context.Context, *Hub) error { panic("oh") }, 70, "author_test.go"},
		"in a device's loop": {func(ctx context.Context, h *Hub) error {
			return h.Each(ctx, func(context.Context, Device) error { panic("oh") })
		}, 70, "device a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, stub{run: c.run})
			p.configureWith(&pb.ConfigureRequest{Devices: []*pb.DeviceEntry{{Id: "a"}}})
			p.open()
			if code := <-p.code; code != c.code || !strings.Contains(p.stderr.String(), c.says) {
				t.Errorf("code %d, stderr %s", code, p.stderr)
			}
		})
	}
}

func TestLogGoesOverTheLink(t *testing.T) {
	p := start(t, stub{run: func(ctx context.Context, h *Hub) error {
		h.Log().With("camera", "door").WithGroup("device").Warn("slow", "ms", 12, slog.Group("a", "b", Secret("hush")), "bad", "\xff")
		return nil
	}})
	l := p.recvLink().GetLog()
	want := map[string]string{"camera": "door", "device.ms": "12", "device.a.b": "***", "device.bad": "\uFFFD"}
	if l.GetLevel() != "warn" || l.GetMessage() != "slow" || len(l.GetAttrs()) != len(want) {
		t.Errorf("log: %v", l)
	}
	for k, v := range want {
		if l.GetAttrs()[k] != v {
			t.Errorf("%s is %q, want %q", k, l.GetAttrs()[k], v)
		}
	}
}

// A plugin without Reconfigure takes the same settings again, and is started anew for others.
func TestReconfigure(t *testing.T) {
	p := connect(t, stub{})
	first := &pb.ConfigureRequest{Revision: 1, Entry: "stub", Config: `{"a":1}`}
	for _, c := range []struct {
		change func(*pb.ConfigureRequest)
		want   pb.ConfigureResult_Outcome
	}{
		{func(*pb.ConfigureRequest) {}, pb.ConfigureResult_OUTCOME_APPLIED},
		{func(r *pb.ConfigureRequest) { r.Revision, r.Grant = 2, &pb.Grant{Talk: true} }, pb.ConfigureResult_OUTCOME_APPLIED},
		{func(r *pb.ConfigureRequest) { r.Config = `{"a":2}` }, pb.ConfigureResult_OUTCOME_RESTART_NEEDED},
		{func(r *pb.ConfigureRequest) { r.Devices = []*pb.DeviceEntry{{Id: "door"}} }, pb.ConfigureResult_OUTCOME_RESTART_NEEDED},
	} {
		r := proto.CloneOf(first)
		c.change(r)
		if out, err := p.client.Configure(p.ctx, r); err != nil || out.GetOutcome() != c.want {
			t.Errorf("%v: %v, %v", r, out, err)
		}
	}
}

func TestSecretHidesItself(t *testing.T) {
	s := Secret("hush")
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s)
	if strings.Contains(b.String(), "hush") || s.Reveal() != "hush" {
		t.Errorf("log: %s", b.String())
	}
}

func TestEvery(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for range Every(ctx, time.Millisecond) {
		if n++; n == 3 {
			cancel()
		}
	}
	if n != 3 {
		t.Errorf("%d ticks", n)
	}
}
