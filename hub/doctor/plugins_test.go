package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// examined answers for the plugins of a running house.
func examined(plugins []Plugin, lines map[string][]CheckLine, err error) Deps {
	return Deps{
		Plugins: func() []Plugin { return plugins },
		SelfCheck: func(_ context.Context, name string) ([]CheckLine, error) {
			if l, ok := lines[name]; ok {
				return l, nil
			}
			return nil, err
		},
	}
}

func TestPluginsExamineThemselves(t *testing.T) {
	d := examined([]Plugin{
		{Name: "gate", State: "degraded", Reason: "yard: the camera refuses the password"},
		{Name: "push", State: "running", Optional: true},
		{Name: "old", State: "running"}, {Name: "down", State: "failed"},
		{Name: "homekit", ID: homeKitID, State: "degraded", Reason: "accessory drive: keypair does not parse"},
	}, map[string][]CheckLine{
		"gate":    {{State: "ok", What: "drive", Why: "rtsp://viewer:hush@192.0.2.1/1 answers"}, {State: "fail", What: "yard", Why: "the camera refuses the password"}},
		"push":    {{State: "fail", What: "ntfy", Fix: "write a token"}, {State: "great", What: "mail"}},
		"down":    {{State: "ok", What: "nobody asks who does not run"}},
		"homekit": {{State: "ok", What: "front_door: mDNS", Why: "heard on eth0"}, {State: "fail", What: "drive", Why: "keypair does not parse"}},
	}, fault{"no answer in time", "E-PLUGIN-SLOW", ""})
	found := Check(t.Context(), d, Plugins, HomeKit)
	wants(t, found, Plugins, OK, "gate: drive", "rtsp://***@192.0.2.1/1 answers")
	wants(t, found, Plugins, Warn, "push: ntfy", "write a token") // the house works without it
	wants(t, found, Plugins, Skip, "push: mail")
	wants(t, found, Plugins, Warn, "old did not examine itself: no answer in time", "plugins logs old", "E-PLUGIN-SLOW")
	wants(t, found, Plugins, Warn, "homekit is degraded")
	wants(t, found, HomeKit, OK, "front_door: mDNS", "heard on eth0")
	wants(t, found, HomeKit, Fail, "drive", "keypair does not parse") // though the other area's line tells it
	if has(found, Plugins, Fail, "gate: yard") || has(found, Plugins, OK, "nobody asks") || has(found, Plugins, OK, "mDNS") {
		t.Errorf("told twice, or in the wrong place:\n%s", text(found))
	}
}

func TestAppleHomeIsLookedAt(t *testing.T) {
	running := []Plugin{{Name: "homekit", State: "running"}}
	for _, c := range []struct {
		d     Deps
		state State
		words []string
	}{
		{Deps{}, Skip, []string{"only while the hub runs"}},
		{Deps{Config: valid(t, "version: 1\n")}, Skip, []string{"not set up", "builtin: homekit", "E-HOMEKIT-NONE"}},
		{examined(nil, nil, nil), Skip, []string{"not set up"}},
		{examined(running, map[string][]CheckLine{"homekit": nil}, nil), Skip, []string{"nothing to look at"}},
		{examined(running, nil, errors.New("it hangs")), Warn, []string{"homekit did not examine itself: it hangs"}},
		{examined([]Plugin{{Name: "apple", ID: homeKitID, State: "failed", Reason: "it crashed", Code: "E-PLUG-CRASHED"}}, nil, nil), Fail, []string{"apple is failed: it crashed", "nothing of the house is in Apple Home"}},
		{examined([]Plugin{{Name: "homekit", ID: "org.example.other", State: "running"}}, nil, nil), Skip, []string{"not set up"}},
	} {
		wants(t, Check(t.Context(), c.d, HomeKit), HomeKit, c.state, c.words...)
	}
}

// A plugin that talks without end, or never answers, does not take the doctor along.
func TestAPluginCannotFloodTheDoctor(t *testing.T) {
	lines := make([]CheckLine, 5000)
	for i := range lines {
		lines[i] = CheckLine{State: "ok", What: strings.Repeat("ü", 5000)}
	}
	found := Check(t.Context(), examined([]Plugin{{Name: "homekit", State: "running"}}, map[string][]CheckLine{"homekit": lines}, nil), HomeKit)
	if len(found) != maxLines || len(found[0].What) > maxLine+len("…") || !strings.HasSuffix(found[0].What, "ü…") {
		t.Errorf("%d lines, %d bytes", len(found), len(found[0].What))
	}
	d := examined([]Plugin{{Name: "homekit", State: "running"}}, nil, nil)
	d.SelfCheck = func(ctx context.Context, _ string) ([]CheckLine, error) {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > examineWithin {
			t.Error("it may take as long as it likes")
		}
		return nil, context.DeadlineExceeded
	}
	wants(t, Check(t.Context(), d, HomeKit), HomeKit, Warn, "did not examine itself")
}
