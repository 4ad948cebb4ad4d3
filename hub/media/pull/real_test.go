package pull

import (
	"context"
	"slices"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// awaited waits until the status of a stream is as it should be.
func awaited(t *testing.T, p *Puller, stream string, is func(Status) bool) Status {
	t.Helper()
	for {
		changed := p.Changed()
		all := p.Status()
		if i := slices.IndexFunc(all, func(s Status) bool { return s.Stream == stream && is(s) }); i >= 0 {
			return all[i]
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("it never came: %+v", all)
		}
	}
}

func state(want string) func(Status) bool { return func(s Status) bool { return s.State == want } }

// TestRealConnections pulls over sockets from a camera that asks for a login, starts anew,
// and moves.
func TestRealConnections(t *testing.T) {
	const password = "p@:/#"
	start := func() *badcam.Camera {
		cam, err := badcam.Start(badcam.Options{Username: "admin", Password: password, Auth: "sha256", Realm: `the "door"`})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cam.Close)
		return cam
	}
	old, moved := start(), start()
	camera := func(at *badcam.Camera, pw string) Camera {
		tg := rtsp.Target{URL: at.URL(), Username: "admin", Password: pw}
		return Camera{ID: "door", Policy: Always, Streams: []Stream{{Name: "main", Target: tg}, {Name: "sub", Target: tg}}}
	}
	core := media.New(media.Limits{})
	p := New(Options{Core: core, Pull: rtsp.Pull})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	p.Apply(camera(old, "wrong"))
	for _, stream := range []string{"main", "sub"} {
		if st := awaited(t, p, stream, state(Locked)); st.Code != "E-RTSP-LOGIN" || st.Fix == "" {
			t.Errorf("%+v", st)
		}
	}
	if n := old.Refused(); n != 1 {
		t.Errorf("%d wrong logins", n)
	}
	p.Apply(camera(old, password))
	r := core.Stream("door", "main").Read(av.Start{From: av.FromKeyFrame})
	defer r.Close()
	awaited(t, p, "sub", state(Live))
	if st := awaited(t, p, "main", state(Live)); st.Auth != "digest-sha256" || st.Transport != "tcp" || st.Reconnects != 0 {
		t.Errorf("%+v", st)
	}
	watched := make(chan struct{}) // closed when the reader has seen both breaks
	go func() { defer close(watched); watch(t, r, 2) }()
	old.HangUp() // it starts anew
	awaited(t, p, "main", func(s Status) bool { return s.State == Live && s.Reconnects == 1 })
	old.Close()
	p.Apply(camera(moved, password)) // it has another address from now on
	awaited(t, p, "sub", func(s Status) bool { return s.State == Live && s.Address == moved.Addr() })
	awaited(t, p, "main", func(s Status) bool { return s.State == Live && s.Address == moved.Addr() })
	<-watched
	if n := old.Refused() + moved.Refused(); n != 1 {
		t.Errorf("%d wrong logins", n)
	}
}

// watch reads through so many breaks, forward in time, each of them marked.
func watch(t *testing.T, r *media.Reader, breaks int) {
	for last, first := int64(0), true; breaks > 0; {
		b, err := r.Next(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		for _, u := range b {
			if u.DTS <= last && !first || (first || u.Discontinuity) && !u.Key {
				t.Errorf("%d after %d, key %v", u.DTS, last, u.Key)
				return
			}
			if last = u.DTS; u.Discontinuity && !first {
				breaks--
			}
			first = false
		}
	}
}
