package api

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// calmHouse is a house in which nothing happens.
type calmHouse struct{}

func (calmHouse) Cameras() []Camera                            { return nil }
func (calmHouse) Camera(string) (Camera, bool)                 { return Camera{}, false }
func (calmHouse) Subscribe() (Subscription, error)             { return calmSub{make(chan event.Delivery)}, nil }
func (calmHouse) LastSeq() uint64                              { return 7 }
func (calmHouse) Listen() (Listener, error)                    { return calmListener{}, nil }
func (calmHouse) Sounded(string, string, time.Duration)        {}
func (calmHouse) Chimes() []Chime                              { return nil }
func (calmHouse) Mute(context.Context, string, bool) error     { return nil }
func (calmHouse) Test(context.Context, string) (Played, error) { return Played{}, nil }
func (calmHouse) Quiet() Quiet                                 { return Quiet{} }
func (calmHouse) SetQuiet(context.Context, time.Time) error    { return nil }
func (calmHouse) State() ConfigState                           { return ConfigState{Valid: true} }
func (calmHouse) Effective() []byte                            { return nil }
func (calmHouse) Files() []ConfigFile                          { return nil }

func (calmHouse) Validate(context.Context, []byte) []ConfigProblem { return nil }

// pluginsRoom: an embedded Plugins would hide the method of that name.
type pluginsRoom = Plugins

type calmPlugins struct{ pluginsRoom }

func (calmPlugins) Plugins() []Plugin { return nil }

type calmSub struct{ deliveries chan event.Delivery }

func (s calmSub) Next(ctx context.Context) (event.Delivery, error) {
	select {
	case d := <-s.deliveries:
		return d, nil
	case <-ctx.Done():
		return event.Delivery{}, ctx.Err()
	}
}
func (calmSub) Skipped() uint64 { return 3 }
func (calmSub) Close()          {}

type calmListener struct{}

func (calmListener) Next(ctx context.Context) (Sound, error) {
	<-ctx.Done()
	return Sound{}, ctx.Err()
}
func (calmListener) Close() {}

type sink struct {
	mu   sync.Mutex
	body bytes.Buffer
	head http.Header
}

func (s *sink) Header() http.Header { return s.head }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.Write(b)
}

func (s *sink) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.body.Reset()
	return s.body.String()
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h calmHouse
		sub := calmSub{make(chan event.Delivery)}
		a := New(Options{Rooms: Rooms{Cameras: h, Feed: fixedFeed{h, sub}, Chimes: h, Sounds: h, Plugins: calmPlugins{}, Config: h}})
		ctx := access.With(t.Context(), access.Identity{User: access.Owner, Role: access.RoleOwner, Via: access.ViaSocket})
		ctx, cancel := context.WithCancel(ctx)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/events/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &sink{head: http.Header{}}
		done := make(chan struct{}) // closed when the stream has ended
		go func() { defer close(done); a.Handler().ServeHTTP(w, r) }()
		synctest.Wait()
		if got := w.take(); !strings.HasPrefix(got, "retry: 2000\n\nid: 7\nevent: hello\ndata: {\"seq\":7,") {
			t.Errorf("begin %q", got)
		}
		for range 3 {
			time.Sleep(14999 * time.Millisecond)
			synctest.Wait()
			if got := w.take(); got != "" {
				t.Errorf("too early: %q", got)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := w.take(); got != ": beat\n\n" {
				t.Errorf("beat %q", got)
			}
		}
		// A slow reader is told that the feed left something out.
		sub.deliveries <- event.Delivery{Event: event.New(event.TypeMotion, "front_door", event.Motion{})}
		synctest.Wait()
		if got := w.take(); !strings.HasPrefix(got, "event: gap\ndata: {\"skipped\":3}\n\nevent: event\n") {
			t.Errorf("gap %q", got)
		}
		cancel()
		<-done
		if a.Open() != 0 {
			t.Error("the stream keeps its place")
		}
	})
}

type fixedFeed struct {
	calmHouse
	sub Subscription
}

func (f fixedFeed) Subscribe() (Subscription, error) { return f.sub, nil }

// FuzzQuery reads what anybody who is signed in can put into an address.
func FuzzQuery(f *testing.F) {
	f.Add("1h", "2026-11-24T08:00:00Z", "12", "ring,motion")
	f.Add("-1h", "yesterday", "-1", "all")
	f.Add("", "", "", ",")
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, since, until, cursor, kind string) {
		in := eventsIn{Limit: 50, Since: since, Until: until, Cursor: cursor, Kind: kind}
		q, err := in.query(now)
		if err != nil {
			p := Describe(err)
			if p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 {
				t.Errorf("%v is no answer to a wrong query", err)
			}
			return
		}
		for _, k := range q.Types {
			if k.Class() == event.ClassUnknown {
				t.Errorf("kind %q let through", k)
			}
		}
	})
}

// FuzzSafeNext holds that a login leads to a path of ours.
func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/", "/events?kind=ring", "//evil", "/\\evil", "https://evil", "/\t/evil", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := SafeNext(next)
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.HasPrefix(got, "/\\") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}
