package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// house is the plugins, the secrets and the taker of a test.
type house struct {
	mu      sync.Mutex
	answer  func(plugin, camera string) (*pb.SourceDescriptor, error)
	asked   []string
	secrets map[string]string
	taken   []Camera
	removed []string
	retried []string
}

func (h *house) ask(_ context.Context, plugin, camera string) (*pb.SourceDescriptor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, plugin+"/"+camera)
	return h.answer(plugin, camera)
}

func (h *house) secret(_, name string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.secrets[name]; ok {
		return v, nil
	}
	return "", errors.New("no such secret")
}

func (h *house) Take(c Camera) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = append(h.taken, c)
}

func (h *house) Retry(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retried = append(h.retried, id)
}

func (h *house) Remove(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = append(h.removed, id)
}

func (h *house) last() Camera {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.taken) == 0 {
		return Camera{}
	}
	return h.taken[len(h.taken)-1]
}

func (h *house) asks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked)
}

func good(url string) *pb.SourceDescriptor {
	return &pb.SourceDescriptor{Streams: []*pb.StreamSource{
		{Name: "main", Url: url, Credential: &pb.Credential{Username: "viewer", Secret: "yard"}},
		{Name: "sub", Url: url + "/sub"},
	}}
}

func yard() Wish { return Wish{Camera: "yard", Plugin: "rtsp", Pull: "auto", Settings: "1"} }

// run serves a room within synctest until the test's function returns.
func run(t *testing.T, h *house, f func(s *Sources)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Ask: h.ask, Secret: h.secret, Taker: h})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		synctest.Wait()
		f(s)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestTheLastGoodSourceStays(t *testing.T) {
	h := &house{secrets: map[string]string{"yard": "p@:/#"}, answer: func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.9/a"), nil }}
	run(t, h, func(s *Sources) {
		s.Apply([]Wish{yard()})
		s.Configured("rtsp")
		synctest.Wait()
		c := h.last()
		if len(c.Streams) != 2 || c.Streams[0].URL.Password != "p@:/#" || c.Streams[0].Policy != "always" || c.Streams[1].Policy != "on_demand" || c.Streams[0].Transport != "tcp" {
			t.Fatalf("taken %+v", c)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", c.Streams[0].URL, c.Streams[0].URL, c.Streams[0].URL, c.Streams[0].URL.String()); strings.Contains(text, "p@:/#") {
			t.Error("printed with its password:", text)
		}
		// The plugin is killed: it answers no more, and nothing is taken away.
		h.answer = func(string, string) (*pb.SourceDescriptor, error) { return nil, errors.New("it ended") }
		s.Configured("rtsp")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, ok := s.Camera("yard"); !ok || got.Streams[0].URL.URL != "rtsp://10.0.0.9/a" || len(h.removed) != 0 {
			t.Errorf("camera %+v %v, removed %v", got, ok, h.removed)
		}
		if st := s.State("yard"); !st.Known || st.Err == nil {
			t.Errorf("state %+v", st)
		}
		// 1, 2, 5, 10, 30 s: a minute has the first four waits and one more.
		if n := h.asks(); n < 5 || n > 7 {
			t.Errorf("asked %d times", n)
		}
		// It is back with another address.
		h.answer = func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.10/a"), nil }
		s.Configured("rtsp")
		synctest.Wait()
		if got := h.last(); got.Streams[0].URL.URL != "rtsp://10.0.0.10/a" || s.State("yard").Err != nil {
			t.Errorf("after the move %+v", got)
		}
		s.Apply(nil)
		if len(h.removed) != 1 {
			t.Errorf("removed %v", h.removed)
		}
	})
}

func TestSecretsAreLookedUpAgain(t *testing.T) {
	h := &house{secrets: map[string]string{}, answer: func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.9/a"), nil }}
	run(t, h, func(s *Sources) {
		s.Apply([]Wish{yard()})
		s.Configured("rtsp")
		synctest.Wait()
		var f *Fault
		if st := s.State("yard"); !errors.As(st.Err, &f) || f.Code() != codeSecret || !strings.Contains(f.Hint(), "porchlight secrets set yard") {
			t.Fatalf("without the secret: %+v", st)
		}
		h.secrets = map[string]string{"yard": "first"}
		s.Apply([]Wish{yard()})
		if got := h.last(); len(got.Streams) == 0 || got.Streams[0].URL.Password != "first" {
			t.Fatalf("taken %+v", got)
		}
		h.secrets = map[string]string{"yard": "second"}
		s.Apply([]Wish{yard()})
		if got := h.last().Streams[0].URL.Password; got != "second" {
			t.Errorf("password %q", got)
		}
		if n := h.asks(); n != 1 {
			t.Errorf("the plugin was asked %d times for a password of the owner's", n)
		}
	})
}

func TestOwnersWordIsAbove(t *testing.T) {
	d := good("rtsp://10.0.0.9/a")
	d.Pull = "battery"
	h := &house{secrets: map[string]string{"yard": "x"}, answer: func(string, string) (*pb.SourceDescriptor, error) { return d, nil }}
	run(t, h, func(s *Sources) {
		w := yard()
		s.Apply([]Wish{w})
		s.Configured("rtsp")
		synctest.Wait()
		if got := h.last(); got.Streams[0].Policy != "battery" || got.Streams[1].Policy != "battery" || got.Limit != time.Minute {
			t.Errorf("plugin's word: %+v", got)
		}
		w.Pull, w.NoSub = "always", true
		s.Apply([]Wish{w})
		if got := h.last(); len(got.Streams) != 1 || got.Streams[0].Policy != "always" {
			t.Errorf("owner's word: %+v", got)
		}
		// A plugin that answers no camera.source pushes.
		h.answer = func(string, string) (*pb.SourceDescriptor, error) {
			return nil, &Refused{Code: pb.Code_CODE_UNSUPPORTED, Message: "no"}
		}
		s.Configured("rtsp")
		synctest.Wait()
		if st := s.State("yard"); !st.Push || st.Err != nil {
			t.Errorf("pushing plugin: %+v", st)
		}
	})
}

func TestAgainIsNotTooOften(t *testing.T) {
	h := &house{secrets: map[string]string{"yard": "x"}, answer: func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.9/a"), nil }}
	run(t, h, func(s *Sources) {
		s.Apply([]Wish{yard()})
		s.Configured("rtsp")
		synctest.Wait()
		for range 100 {
			s.Again("yard")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := h.asks(); n < 2 || n > 3 {
			t.Errorf("asked %d times in 10 s", n)
		}
	})
}

func TestBadDescriptionsAreNamed(t *testing.T) {
	long := "rtsp://h/" + strings.Repeat("x", maxURL)
	secret := func(string, string) (string, error) { return "pw", nil }
	for name, d := range map[string]*pb.SourceDescriptor{
		"nothing":            {},
		"scheme":             {Streams: []*pb.StreamSource{{Name: "main", Url: "file:///etc/passwd"}}},
		"credential inside":  {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://u:hunter2@h/a"}}},
		"no host":            {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp:///a"}}},
		"long":               {Streams: []*pb.StreamSource{{Name: "main", Url: long}}},
		"not a URL":          {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://hunter2\x00/"}}},
		"name":               {Streams: []*pb.StreamSource{{Name: "third", Url: "rtsp://h/a"}}},
		"twice":              {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://h/a"}, {Name: "main", Url: "rtsp://h/b"}}},
		"transport":          {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://h/a", Transport: "quic"}}},
		"fingerprint":        {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsps://h/a", Fingerprint: "sha256:12"}}},
		"two passwords":      {Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://h/a", Credential: &pb.Credential{Secret: "a", Password: "b"}}}},
		"pull":               {Push: true, Pull: "sometimes"},
		"snapshot":           {Push: true, Snapshot: "maybe"},
		"snapshot's address": {Push: true, SnapshotUrl: "gopher://h/"},
	} {
		_, err := describe(yard(), d, secret)
		var f *Fault
		if !errors.As(err, &f) || f.Code() == "" || f.Hint() == "" || !strings.Contains(err.Error(), "yard") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: told with the password: %v", name, err)
		}
	}
}

func TestPushOnDemand(t *testing.T) {
	var mu sync.Mutex
	var told []string
	var fail bool
	d := &pb.SourceDescriptor{Push: true, Pull: "on_demand"}
	h := &house{answer: func(string, string) (*pb.SourceDescriptor, error) { return d, nil }}
	tell := func(_ context.Context, d Demand) error {
		mu.Lock()
		defer mu.Unlock()
		if fail {
			return errors.New("not now")
		}
		told = append(told, fmt.Sprintf("%s/%s %v %s", d.Camera, d.Stream, d.Wanted, d.Reason))
		return nil
	}
	said := func() string {
		mu.Lock()
		defer mu.Unlock()
		out := strings.Join(told, ", ")
		told = nil
		return out
	}
	failing := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		fail = on
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Ask: h.ask, Secret: h.secret, Taker: h, Tell: tell})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		s.Apply([]Wish{yard()})
		s.Configured("rtsp")
		synctest.Wait()
		if got := said(); got != "yard/main false viewer, yard/sub false viewer" && got != "yard/sub false viewer, yard/main false viewer" {
			t.Errorf("at first: told %q", got)
		}
		after := func(d time.Duration, want, when string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			// What is said of the sub stream, which nobody wants, is said again with each description.
			got := strings.Split(said(), ", ")
			got = slices.DeleteFunc(got, func(word string) bool { return word == "yard/sub false viewer" })
			if strings.Join(got, ", ") != want {
				t.Errorf("%s: told %q, want %q", when, got, want)
			}
		}
		s.Heard("yard", "main", 1, "reader")
		after(0, "yard/main true viewer", "a first reader")
		s.Heard("yard", "main", 2, "snapshot")
		s.Heard("yard", "main", 0, "")
		after(29*time.Second, "", "within the linger")
		s.Heard("yard", "main", 1, "reader")
		after(time.Minute, "", "a reader is there")
		s.Heard("yard", "main", 0, "")
		after(31*time.Second, "yard/main false viewer", "all have gone")
		failing(true)
		s.Heard("yard", "main", 1, "event")
		after(time.Second, "", "a plugin that answers with an error")
		failing(false)
		after(2*time.Second, "yard/main true event", "and then does not")
		s.Configured("rtsp")
		after(0, "yard/main true event", "a plugin that was started anew")

		h.mu.Lock()
		d = &pb.SourceDescriptor{Push: true, Pull: "battery"}
		h.mu.Unlock()
		s.Configured("rtsp")
		after(0, "yard/main true event", "a battery camera")
		after(61*time.Second, "yard/main false event", "it was awake for a minute")
		after(time.Hour, "", "it rests, though somebody looks")
		s.Heard("yard", "main", 0, "")
		s.Heard("yard", "main", 1, "event")
		after(0, "yard/main true event", "somebody new")
		cancel()
		<-done
	})
}

// What a camera has refused may be tried again when its owner has changed it, once
// the plugin knows.
func TestAnOwnersEditIsATryMore(t *testing.T) {
	h := &house{secrets: map[string]string{"yard": "x"}, answer: func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.9/a"), nil }}
	run(t, h, func(s *Sources) {
		w := yard()
		s.Apply([]Wish{w})
		s.Configured("rtsp")
		synctest.Wait()
		s.Apply([]Wish{w})
		s.Configured("rtsp")
		s.Again("yard")
		synctest.Wait()
		if len(h.retried) != 0 {
			t.Errorf("retried %v without a change", h.retried)
		}
		asks := h.asks()
		w.Settings = "2"
		s.Apply([]Wish{w})
		synctest.Wait()
		if h.asks() != asks || len(h.retried) != 0 {
			t.Error("asked before the plugin knows")
		}
		s.Configured("rtsp")
		synctest.Wait()
		if len(h.retried) != 1 {
			t.Errorf("retried %v after the change", h.retried)
		}
		// A plugin that refuses the new settings is not configured; it is asked all the same.
		w.Settings = "3"
		s.Apply([]Wish{w})
		time.Sleep(rest)
		synctest.Wait()
		if len(h.retried) != 2 {
			t.Errorf("retried %v after the second change", h.retried)
		}
	})
}

func TestWhatWasSaidOutlivesTheHub(t *testing.T) {
	kept := map[string]Remembered{}
	h := &house{secrets: map[string]string{"yard": "x"}, answer: func(string, string) (*pb.SourceDescriptor, error) { return good("rtsp://10.0.0.9/a"), nil }}
	life := func(plugin bool, wish Wish, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h.taken = nil
			var mu sync.Mutex
			s := New(Options{Ask: h.ask, Secret: h.secret, Taker: h, Remember: func(camera string, r Remembered) {
				mu.Lock()
				defer mu.Unlock()
				kept[camera] = r
			}, Recall: func(camera string) (Remembered, bool) {
				mu.Lock()
				defer mu.Unlock()
				r, ok := kept[camera]
				return r, ok
			}})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Serve(ctx) }()
			s.Apply([]Wish{wish})
			if plugin {
				s.Configured("rtsp")
			}
			synctest.Wait()
			got := ""
			if c := h.last(); len(c.Streams) > 0 {
				got = c.Streams[0].URL.URL
			}
			if got != want {
				t.Errorf("taken %q, want %q", got, want)
			}
			cancel()
			<-done
		})
	}
	other := yard()
	other.Settings = "2"
	life(false, yard(), "")                  // nothing is known yet
	life(true, yard(), "rtsp://10.0.0.9/a")  // its plugin says it
	life(false, yard(), "rtsp://10.0.0.9/a") // before the plugin is up
	life(false, other, "")                   // that was said of other settings
	other.Plugin, other.Settings = "onvif", "1"
	life(false, other, "") // and by another plugin
	delete(kept, "yard")
	other = yard()
	for _, where := range []string{"secret://where", "env://WHERE", "file:///run/where"} {
		other.Settings = `{"url":"` + where + `","password":"secret://yard"}`
		life(true, other, "rtsp://10.0.0.9/a")
		if len(kept) != 0 {
			t.Errorf("an address out of %s was written down: %q", where, kept["yard"].Source)
		}
	}
	other.Settings = `{"url":"rtsp://10.0.0.9/a","password":"secret://yard"}`
	life(true, other, "rtsp://10.0.0.9/a")
	if len(kept) != 1 {
		t.Error("what holds no secret was not kept")
	}
	h.answer = func(string, string) (*pb.SourceDescriptor, error) {
		d := good("rtsp://10.0.0.10/b")
		d.Streams[0].Credential = &pb.Credential{Username: "viewer", Password: "hunter2"}
		return d, nil
	}
	delete(kept, "yard")
	life(true, yard(), "rtsp://10.0.0.10/b")
	if len(kept) != 0 {
		t.Errorf("a password was written down: %q", kept["yard"].Source)
	}
}

func TestHowPeopleCanTalk(t *testing.T) {
	tracks := []*pb.Track{{Id: 3, Codec: "l16", ClockRate: 16000, SampleRate: 16000, Channels: 1}}
	for _, c := range []struct {
		talk   string
		tracks []*pb.Track
		push   bool
		want   string
		takes  int
		fault  bool
	}{
		{talk: "", want: TalkNone}, {talk: "none", want: TalkNone},
		{talk: "rtsp_backchannel", want: TalkByRTSP, tracks: tracks},
		{talk: "plugin", want: TalkByPlugin, tracks: tracks, takes: 1},
		{talk: "plugin", want: TalkByPlugin, tracks: tracks, takes: 1, push: true},
		{talk: "rtsp_backchannel", push: true, fault: true},
		{talk: "shout", fault: true},
		{talk: "plugin", tracks: slices.Repeat(tracks, 20), fault: true},
	} {
		d := good("rtsp://10.0.0.9/a")
		d.Talk, d.TalkTracks, d.Push = c.talk, c.tracks, c.push
		got, err := describe(yard(), d, func(string, string) (string, error) { return "x", nil })
		if (err != nil) != c.fault || got.Talk != c.want || len(got.TalkTracks) != c.takes {
			t.Errorf("%q: %q %v %v", c.talk, got.Talk, got.TalkTracks, err)
		}
		if c.takes == 1 && (got.TalkTracks[0].Codec != av.L16 || got.TalkTracks[0].Kind != av.Sound || got.TalkTracks[0].SampleRate != 16000) {
			t.Errorf("%+v", got.TalkTracks[0])
		}
	}
}
