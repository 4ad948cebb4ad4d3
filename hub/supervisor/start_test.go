package supervisor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
)

func TestGoodPluginRunsAndStops(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "good"}))
	g.untilState(t, "gate", Running)
	st, ok := s.Plugin("gate")
	if !ok || st.PID == 0 || st.Version != "1.0.0" || st.ID != "dev.porchlight.test.good" || st.Code != "" {
		t.Fatalf("%+v", st)
	}
	apply(t, s)
	if got := g.calls; !slices.Equal(got, []string{"started gate", "grant gate", "connected gate", "configured gate", "closed gate", "stopped gate"}) {
		t.Fatalf("calls %v", got)
	}
	var states []State
	for _, st := range g.states["gate"] {
		if len(states) == 0 || states[len(states)-1] != st.State {
			states = append(states, st.State)
		}
	}
	if want := []State{Starting, Configuring, Running, Stopping, Stopped}; !slices.Equal(states, want) {
		t.Fatalf("states %v, want %v", states, want)
	}
}

func TestPluginSeesOnlyItsCage(t *testing.T) {
	t.Setenv("PORCHLIGHT_TOKEN", "a secret of the hub")
	t.Setenv("PULSE_SERVER", "unix:/nowhere")
	t.Setenv("HOME", "/home/anna")
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "deaf", Builtin: "looks"}), patient(Spec{Name: "loud", Builtin: "looks", Reach: []string{"audio"}}),
		patient(Spec{Name: "own", Path: pathPlugin(t, "looks")}))
	for _, name := range []string{"deaf", "loud", "own"} {
		var raw string
		g.until(t, name+" to say what it sees", func() bool {
			for _, l := range g.logs[name] {
				if strings.HasPrefix(l, "{") {
					raw = l
				}
			}
			return raw != ""
		})
		var v struct {
			Env, FDs, Args         []string
			Umask, NoNewPrivs, Dir string
			Limits                 map[string]uint64
			Session, PID           int
		}
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatal(err)
		}
		for _, kv := range v.Env {
			k, _, _ := strings.Cut(kv, "=")
			allowed := []string{"PATH", "HOME", "LANG", "GOMEMLIMIT", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
			if name == "loud" {
				allowed = append(allowed, "XDG_CONFIG_HOME", "PULSE_CLIENTCONFIG", "XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_COOKIE", "PULSE_RUNTIME_PATH", "PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "ALSA_CONFIG_PATH", "ALSA_CARD")
			}
			if !slices.Contains(allowed, k) && !strings.HasPrefix(k, "PLUGIN_") && !strings.HasPrefix(k, "PORCHLIGHT_") || k == "PORCHLIGHT_TOKEN" {
				t.Errorf("%s: the environment holds %s", name, k)
			}
		}
		if name == "loud" != slices.Contains(v.Env, "PULSE_SERVER=unix:/nowhere") {
			t.Errorf("%s: sound server variables: %v", name, v.Env)
		}
		// Only sound looks into the user's own home.
		if name == "loud" != slices.Contains(v.Env, "HOME=/home/anna") {
			t.Errorf("%s: home: %v", name, v.Env)
		}
		if v.Umask != "0077" || v.NoNewPrivs != "1" {
			t.Errorf("%s: umask %s, no_new_privs %s", name, v.Umask, v.NoNewPrivs)
		}
		if v.Session != v.PID {
			t.Errorf("%s: process group %d, pid %d", name, v.Session, v.PID)
		}
		want := map[string]uint64{"nofile": 256, "core": 0, "fsize": 64 << 20, "data": 1 << 30}
		for k, n := range want {
			if v.Limits[k] != n {
				t.Errorf("%s: limit %s is %d, want %d", name, k, v.Limits[k], n)
			}
		}
		if v.Dir != s.place.DataDir(name) {
			t.Errorf("%s: runs in %s", name, v.Dir)
		}
		for _, fd := range v.FDs {
			n, to, _ := strings.Cut(fd, " ")
			if slices.Contains([]string{"0", "1", "2"}, n) {
				continue
			}
			// What the plugin opened itself: its listener, epoll, pipes, Go's look at its CPU quota, and /proc.
			if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
				t.Errorf("%s: descriptor %s is open on %s", name, n, to)
			}
		}
	}
}

// TestFailuresHaveReasons is the failure table: what is broken, and what the owner reads.
func TestFailuresHaveReasons(t *testing.T) {
	if testing.Short() {
		t.Skip("starts thirty processes")
	}
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elf := func(change func([]byte)) string {
		raw, err := os.ReadFile(houseBinary(t))
		if err != nil {
			t.Fatal(err)
		}
		raw = slices.Clone(raw)
		change(raw)
		return file("changed", string(raw), 0o755)
	}
	quick := Limits{Start: 500 * time.Millisecond}
	for _, c := range []struct {
		name   string
		spec   Spec
		code   string
		state  State
		reason string // is in Reason
		fix    string // is in Fix
	}{
		{"absent", Spec{Path: "/nowhere/at all"}, fault.NotFound, Blocked, "/nowhere/at all: no such file", "path in the config"},
		{"folder", Spec{Path: os.TempDir()}, fault.NotExecutable, Blocked, "not a regular file", ""},
		{"not executable", Spec{Path: file("my plugin", "#!/bin/sh\n", 0o644)}, fault.NotExecutable, Blocked, "mode -rw-r--r--", "chmod +x '"},
		{"other machine", Spec{Path: elf(func(b []byte) { b[18], b[19] = 0xf3, 0 })}, fault.WrongArch, Blocked, "made for linux/riscv64", "get the build"},
		{"no program", Spec{Path: file("text", "just words", 0o755)}, fault.WrongArch, Blocked, "neither ELF nor a script", ""},
		{"missing interpreter", Spec{Path: file("script", "#!/usr/bin/perl99 -w\n", 0o755)}, fault.Loader, Blocked, "needs /usr/bin/perl99", "install"},
		{"wrong hash", Spec{Path: pathPlugin(t, "good"), SHA256: strings.Repeat("0", 64)}, fault.Hash, Blocked, "expected 0000", ""},
		{"no such bundled binary", Spec{Builtin: "x", Binary: "porchlight-nothing"}, fault.NotFound, Blocked, "porchlight-nothing is in none of", "make run"},
		{"sandbox required", Spec{Path: pathPlugin(t, "good"), Sandbox: "required"}, fault.Sandbox, Blocked, "only in part", "best-effort"},
		{"noise", Spec{Builtin: "noise"}, fault.Noise, Backoff, `"Hello, I am the front gate plugin, starting up"`, "log to stderr"},
		{"noise without end of line", Spec{Builtin: "noise-unfinished", Limits: quick}, fault.Noise, Backoff, `loading… loading…`, "log to stderr"},
		{"noise without end", Spec{Builtin: "noise-endless"}, fault.Noise, Backoff, `"xxxxx`, "log to stderr"},
		{"silent", Spec{Builtin: "silent", Limits: quick}, fault.Handshake, Backoff, "no handshake within 500ms", ""},
		{"early exit", Spec{Builtin: "early-exit"}, fault.EarlyExit, Backoff, "exit code 3", "log lines"},
		{"next protocol", Spec{Builtin: "next-protocol"}, fault.Protocol, Blocked, "speaks protocol version 99, the hub speaks 1", "update Porchlight"},
		{"next handshake", Spec{Builtin: "next-handshake"}, fault.Protocol, Blocked, "handshake version 7, the hub speaks 1", "update Porchlight"},
		{"tcp", Spec{Builtin: "tcp"}, fault.Address, Blocked, "only a unix socket", ""},
		{"socket elsewhere", Spec{Builtin: "elsewhere"}, fault.Address, Blocked, "not directly in the plugin's own directory", ""},
		{"socket by a detour", Spec{Builtin: "dots"}, fault.Address, Blocked, "not directly in", ""},
		{"link to a socket", Spec{Builtin: "link-to-socket"}, fault.Address, Blocked, "it is not a socket", ""},
		{"no socket", Spec{Builtin: "no-socket"}, fault.Address, Blocked, "cannot be looked at", ""},
		{"no TLS", Spec{Builtin: "no-tls"}, fault.Connect, Backoff, "", "AutoMTLS"},
		{"dies after the handshake", Spec{Builtin: "dies-after-handshake"}, "", Backoff, "", ""},
		{"no description", Spec{Builtin: "describe-empty"}, fault.Describe, Blocked, "no id or no version", ""},
		{"description hangs", Spec{Builtin: "describe-hangs"}, fault.Describe, Backoff, "did not answer describe within 5s", ""},
		{"lacks a device", Spec{Builtin: "lacks-card", Optional: true}, fault.Missing, Blocked, "a sound card", "plug one in"},
		{"wrong config", Spec{Builtin: "good", Config: json.RawMessage(`{"host":"wrong"}`)}, fault.Config, Blocked, "/host: no such host", "write the camera's address"},
		{"dies when configured", Spec{Builtin: "configure-dies"}, fault.Crash, Backoff, "exit code 5 during configure", ""},
		{"crash", Spec{Builtin: "crashes"}, fault.Crash, Backoff, "exit code 9", ""},
		{"panic", Spec{Builtin: "panics"}, fault.Crash, Backoff, "exit code 2", ""},
		{"hangs up", Spec{Builtin: "hangs-up"}, fault.Link, Backoff, "ended its connection", ""},
		{"huge message", Spec{Builtin: "huge"}, fault.Message, Backoff, "over the limit", "media.sock"},
		{"freezes", Spec{Builtin: "freezes", Health: Health{Every: 200 * time.Millisecond, Misses: 3}}, fault.Hang, Backoff, "no sign of life", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest()
			s := open(t, g, func(o *Options) { o.Clock = realHealthClock{newFakeClock()} })
			spec := c.spec
			spec.Name = "gate"
			or(&spec.Limits.Start, time.Minute)
			apply(t, s, spec)
			st := g.untilState(t, "gate", Backoff, Blocked, Failed)
			if st.State != c.state || c.code != "" && st.Code != c.code || !strings.Contains(st.Reason, c.reason) || !strings.Contains(st.Fix, c.fix) {
				t.Errorf("state %s, code %s, reason %s, fix %s", st.State, st.Code, st.Reason, st.Fix)
			}
			if st.Fix == "" {
				t.Errorf("no fix for %s: %s", st.Code, st.Reason)
			}
			if c.spec.Optional != st.Warning {
				t.Errorf("warning %v", st.Warning)
			}
			if st.PID != 0 {
				t.Errorf("a dead plugin has pid %d", st.PID)
			}
		})
	}
}

// realHealthClock lets short times pass by themselves and backoff only on demand.
type realHealthClock struct{ *fakeClock }

func (c realHealthClock) After(d time.Duration) (<-chan time.Time, func()) {
	if d == 200*time.Millisecond {
		return realClock{}.After(d)
	}
	return c.fakeClock.After(d)
}

func TestLastLinesStayWithTheFailure(t *testing.T) {
	g := newGuest()
	s := open(t, g, func(o *Options) { o.Clock = newFakeClock() })
	apply(t, s, patient(Spec{Name: "gate", Builtin: "crashes"}))
	st := g.untilState(t, "gate", Backoff)
	if !slices.Contains(st.LastLog, "the last thing I saw") {
		t.Fatalf("last log %q", st.LastLog)
	}
	_ = s
}

func TestDescribeStartsNothingElse(t *testing.T) {
	s, err := New(Options{Exe: houseBinary(t), RunDir: t.TempDir(), PluginDataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d, err := s.Describe(t.Context(), patient(Spec{Name: "gate", Path: pathPlugin(t, "good")}))
	if err != nil || d.GetVersion() != "1.0.0" {
		t.Fatal(d, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Describe(ctx, patient(Spec{Name: "gate", Builtin: "silent"})); err == nil {
		t.Fatal("a silent plugin described itself")
	}
}
