package house_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/talk"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// doorman is a door that listens until it is let go.
type doorman struct{}

func (doorman) Tracks() []av.Track { return []av.Track{av.PCMTrack(1, av.L16, 16000, 1)} }

func (doorman) Play(ctx context.Context, r talk.Request) error {
	if err := r.Ready(av.Track{}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// voices is one browser, of the key "a".
type voices struct {
	mu      sync.Mutex
	put     func(*av.Unit) error
	stopped chan struct{}
	gone    chan struct{}
}

func (v *voices) Speech(session, key string, put func(*av.Unit) error) (av.Track, func(), error) {
	if session != "x1" || key != "a" {
		return av.Track{}, nil, errors.New("there is no such session")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put = put
	return av.PCMTrack(1, av.L16, 16000, 1), sync.OnceFunc(func() { close(v.stopped) }), nil
}

func (v *voices) Done(string) <-chan struct{} { return v.gone }

func TestTalksByASession(t *testing.T) {
	desk := talk.New(talk.Options{Core: media.New(media.Limits{}), Sink: func(string) (talk.Sink, error) { return doorman{}, nil }})
	defer desk.Close()
	v := &voices{stopped: make(chan struct{}), gone: make(chan struct{})}
	room := house.Talks(desk, v)
	a, b := api.Viewer{Name: "Anna", Key: "a", MayTalk: true}, api.Viewer{Name: "Bert", Key: "b", MayTalk: true}
	if _, err := room.Begin(t.Context(), "door", b, "x1"); err == nil {
		t.Fatal("the sound of another's session was taken")
	}
	one, err := room.Begin(t.Context(), "door", a, "x1")
	if err != nil {
		t.Fatal(err)
	}
	if one.By() != a || one.Camera() != "door" || one.Takes().Codec != av.L16 {
		t.Errorf("%+v at %s, %+v", one.By(), one.Camera(), one.Takes())
	}
	if name, since, ok := house.Talker(desk)("door"); !ok || name != "Anna" || since.IsZero() {
		t.Errorf("who talks: %s %v %v", name, since, ok)
	}
	if err := v.put(&av.Unit{Track: 1, Data: make([]byte, 640)}); err != nil {
		t.Errorf("a unit: %v", err)
	}
	var busy *api.TalkBusy
	if _, err := room.Begin(t.Context(), "door", b, ""); !errors.As(err, &busy) || busy.Name != "Anna" || busy.Since.IsZero() {
		t.Errorf("the second: %v", err)
	}
	close(v.gone)
	<-one.Done()
	<-v.stopped
	if _, on := room.Talk(one.ID()); on {
		t.Error("it goes on without its session")
	}
	two, err := room.Begin(t.Context(), "door", b, "")
	if err != nil {
		t.Fatal(err)
	}
	found, on := room.Talk(two.ID())
	if !on || found.By() != b {
		t.Errorf("found %v %+v", on, found)
	}
	if err := two.Put(&av.Unit{Track: 1, Data: make([]byte, 640)}); err != nil {
		t.Errorf("a unit by socket: %v", err)
	}
	two.Close("done")
	<-two.Done()
}

func TestASinkThatCannotLetsTheVoiceGo(t *testing.T) {
	desk := talk.New(talk.Options{Core: media.New(media.Limits{}), Sink: func(string) (talk.Sink, error) { return nil, errors.New("it has no speaker") }})
	defer desk.Close()
	v := &voices{stopped: make(chan struct{}), gone: make(chan struct{})}
	if _, err := house.Talks(desk, v).Begin(t.Context(), "door", api.Viewer{Key: "a"}, "x1"); err == nil {
		t.Error("it talks")
	}
	<-v.stopped
	if len(house.Viewers(nil, nil)()) != 0 {
		t.Error("somebody watches nothing")
	}
}
