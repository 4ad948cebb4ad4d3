package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// message of a stream as a browser reads it.
type message struct{ id, kind, data string }

// reader is one open stream.
type reader struct {
	t        *testing.T
	messages chan message // bounded by what a test publishes
	close    func()
}

func (b *browser) stream(after string) *reader {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.http.URL+"/api/v1/events/stream", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("stream: %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	r := &reader{b.t, make(chan message, 4096), cancel}
	done := make(chan struct{}) // closed when the reading goroutine has ended
	go func() {
		defer close(done)
		defer close(r.messages)
		defer res.Body.Close()
		for m, err := range sse.Read(res.Body, nil) {
			if err != nil {
				return
			}
			r.messages <- message{m.LastEventID, m.Type, m.Data}
		}
	}()
	b.t.Cleanup(func() { cancel(); <-done })
	return r
}

// next gives the next message of one of the kinds.
func (r *reader) next(kinds ...string) message {
	r.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case m, ok := <-r.messages:
			if !ok {
				r.t.Fatalf("the stream ended, %v awaited", kinds)
			}
			for _, k := range kinds {
				if m.kind == k {
					return m
				}
			}
		case <-late:
			r.t.Fatalf("no %v came", kinds)
		}
	}
}

func (m message) event(t *testing.T) api.StreamEvent {
	t.Helper()
	var e api.StreamEvent
	if err := json.Unmarshal([]byte(m.data), &e); err != nil {
		t.Fatalf("%v in %s", err, m.data)
	}
	return e
}

func publish(t *testing.T, x *fixture, n int) (ids []string) {
	t.Helper()
	for range n {
		e := event.New(event.TypeMotion, "front_door", event.Motion{Active: true})
		if _, err := x.house.bus.PublishWait(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func TestStream(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	before := publish(t, x, 1)
	old := event.Event{ID: event.NewID(), Type: event.TypePlugin, Subject: "plugin.demo.state", Data: event.PluginState{Plugin: "demo", State: "running"}}
	if _, err := x.house.bus.PublishWait(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	r := b.stream("")
	hello := r.next("hello")
	var h api.Hello
	if err := json.Unmarshal([]byte(hello.data), &h); err != nil || h.Version != "test" || len(h.Cameras) != 1 || len(h.Plugins) != 1 || len(h.Chimes) != 1 || !h.Config.Valid {
		t.Fatalf("hello %+v, %v", h, err)
	}
	if hello.id != strconv.FormatUint(h.Seq, 10) || h.Seq == 0 {
		t.Errorf("hello has id %s, seq %d", hello.id, h.Seq)
	}
	ring, err := x.house.Ring(t.Context(), "front_door", true)
	if err != nil {
		t.Fatal(err)
	}
	m := r.next("event")
	e := m.event(t)
	if e.ID != ring || e.ID == before[0] || e.Type != "ring" || e.Replay || e.AgeMS < 0 || e.AgeMS > 10000 || m.id != strconv.FormatUint(e.Seq, 10) || string(e.Data) != `{"test":true}` {
		t.Errorf("event %+v with id %s", e, m.id)
	}
	hop := event.New(event.TypeHop, "front_door", event.Hop{EventID: ring, Taker: "homekit", Outcome: "ok"})
	hop.Correlation = ring
	if _, err := x.house.bus.PublishWait(t.Context(), hop); err != nil {
		t.Fatal(err)
	}
	if e := r.next("hop", "event").event(t); e.Type != "hop" {
		t.Errorf("hop %+v", e)
	}
	x.house.mu.Lock()
	x.house.sounds[0] <- api.Sound{Chime: "browser", Sound: "ding_dong", Volume: 70, EventID: ring}
	x.house.mu.Unlock()
	if m := r.next("sound"); m.data != `{"chime":"browser","sound":"ding_dong","volume":70,"event_id":"`+ring+`"}` {
		t.Errorf("sound %s", m.data)
	}
	if res := b.do("POST", "/api/v1/quiet", `{"for":"1h"}`); res.code != 200 {
		t.Fatal(res.body)
	}
	if m := r.next("quiet", "chimes", "cameras", "plugins", "config"); m.kind != "quiet" || !strings.Contains(m.data, `"on":true`) {
		t.Errorf("changed: %s %s", m.kind, m.data)
	}
	x.house.mu.Lock()
	x.house.state = api.ConfigState{Problems: []api.ConfigProblem{{Severity: "error", Code: "E-CFG-SYNTAX", Line: 3}}}
	x.house.mu.Unlock()
	x.web.Changed()
	if m := r.next("quiet", "chimes", "cameras", "plugins", "config"); m.kind != "config" || !strings.Contains(m.data, "E-CFG-SYNTAX") {
		t.Errorf("changed: %s %s", m.kind, m.data)
	}
	x.house.mu.Lock()
	x.house.plugins[0].State = "backoff"
	x.house.mu.Unlock()
	state := event.Event{ID: event.NewID(), Type: event.TypePlugin, Subject: "plugin.demo.state", Data: event.PluginState{Plugin: "demo", State: "backoff"}}
	if _, err := x.house.bus.PublishWait(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if m := r.next("plugins"); !strings.Contains(m.data, `"state":"backoff"`) {
		t.Errorf("plugins %s", m.data)
	}
}

func TestStreamReplays(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	first := b.stream("")
	first.next("hello")
	seen := publish(t, x, 3)
	var last message
	for _, id := range seen {
		if last = first.next("event"); last.event(t).ID != id {
			t.Fatalf("%s, want %s", last.data, id)
		}
	}
	first.close()
	missed := publish(t, x, 5)
	again := b.stream(last.id)
	if h := again.next("hello"); h.id != last.id {
		t.Errorf("hello goes on at %s, want %s", h.id, last.id)
	}
	live := publish(t, x, 2)
	for _, id := range missed {
		if e := again.next("event").event(t); e.ID != id || !e.Replay {
			t.Errorf("event %+v, want %s as replay", e, id)
		}
	}
	got := map[string]bool{}
	for range live {
		got[again.next("event").event(t).ID] = true
	}
	for _, id := range live {
		if !got[id] {
			t.Errorf("%s did not come, or twice another", id)
		}
	}
}

func TestStreamReplayIsBounded(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	first := publish(t, x, 1)
	after := get[api.Event](b, "/api/v1/events/"+first[0]).Seq
	ids := publish(t, x, 600)
	r := b.stream(strconv.FormatUint(after, 10))
	r.next("hello")
	r.next("gap")
	for i, id := range ids[100:] {
		if e := r.next("event").event(t); e.ID != id {
			t.Fatalf("replayed %d is %s, want %s", i, e.ID, id)
		}
	}
}

func TestStreamOfAnotherJournal(t *testing.T) {
	x := newFixture(t)
	publish(t, x, 1)
	for _, after := range []string{"18446744073709551615", "9007199254740993", "-1", "no number"} {
		r := x.owner().stream(after)
		var h api.Hello
		if err := json.Unmarshal([]byte(r.next("hello").data), &h); err != nil || h.Seq == 0 || h.Seq > 1<<60 {
			t.Errorf("after %s: hello at %d, %v", after, h.Seq, err)
		}
		id := publish(t, x, 1)[0]
		if e := r.next("event").event(t); e.ID != id || e.Replay {
			t.Errorf("after %s: %+v", after, e)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	var all []*reader
	for range 32 {
		r := b.stream("")
		r.next("hello")
		all = append(all, r)
	}
	res := b.do("GET", "/api/v1/events/stream", "")
	if res.code != http.StatusTooManyRequests || res.problem(t).ErrCode != "E-API-STREAMS-FULL" || res.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %s", res.code, res.body)
	}
	all[0].close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if metrics := b.do("GET", "/metrics", "").body; strings.Contains(metrics, "porchlight_web_streams 31") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed stream keeps its place")
		}
	}
	b.stream("").next("hello")
}

func TestGuestsSeeNoStream(t *testing.T) {
	x := newFixture(t)
	for _, path := range []string{"/events/stream", "/cameras/front_door/snapshot.jpg", "/cameras/front_door/stream.mjpeg", "/ws?camera=front_door", "/cameras"} {
		r, err := http.NewRequestWithContext(access.With(t.Context(), access.Identity{User: "x", Role: access.RoleGuest}), http.MethodGet, api.Prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &plainWriter{header: http.Header{}}
		x.web.API().ServeHTTP(w, r)
		if w.code != http.StatusForbidden || !strings.Contains(w.body.String(), "E-ACCESS-FORBIDDEN") {
			t.Errorf("%s: %d %s", path, w.code, w.body.String())
		}
	}
}

// plainWriter can neither flush nor take deadlines.
type plainWriter struct {
	header http.Header
	code   int
	body   strings.Builder
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) WriteHeader(code int)        { w.code = code }
func (w *plainWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
