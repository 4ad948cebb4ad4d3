package house

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/restream"
	"github.com/porchlight-hub/porchlight/hub/media/talk"
	"github.com/porchlight-hub/porchlight/hub/media/whep"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Live lets browsers watch by WebRTC.
func Live(s *whep.Server) api.Live { return live{s} }

type live struct{ *whep.Server }

func (l live) ServeOffer(w http.ResponseWriter, r *http.Request, camera, stream string, v api.Viewer) {
	l.Server.ServeOffer(w, r, camera, stream, whep.Viewer(v))
}

func (l live) ServeSession(w http.ResponseWriter, r *http.Request, id string, v api.Viewer) {
	l.Server.ServeSession(w, r, id, whep.Viewer(v))
}

// Voices are the browsers whose sound comes by WebRTC.
type Voices interface {
	Speech(session, key string, put func(*av.Unit) error) (av.Track, func(), error)
	Done(session string) <-chan struct{}
}

// Talks lets people speak at the desk, with the sound of a session of voices or with what
// is put.
func Talks(desk *talk.Desk, voices Voices) api.Talks { return talks{desk, voices} }

type talks struct {
	desk   *talk.Desk
	voices Voices
}

func (t talks) Begin(ctx context.Context, camera string, by api.Viewer, session string) (api.Talk, error) {
	if session == "" {
		s, err := t.open(ctx, camera, by, api.SpeechTrack())
		if err != nil {
			return nil, err
		}
		return spoken{s}, nil
	}
	// What is said before the door listens is not kept for it.
	var to atomic.Pointer[talk.Session]
	track, stop, err := t.voices.Speech(session, by.Key, func(u *av.Unit) error {
		if s := to.Load(); s != nil {
			return s.Put(u)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s, err := t.open(ctx, camera, by, track)
	if err != nil {
		stop()
		return nil, err
	}
	to.Store(s)
	go func() { // ends with the talk, which its session and the desk end
		defer stop()
		select {
		case <-t.voices.Done(session):
			s.Close("the page has gone")
		case <-s.Done():
		}
	}()
	return spoken{s}, nil
}

func (t talks) open(ctx context.Context, camera string, by api.Viewer, from av.Track) (*talk.Session, error) {
	s, err := t.desk.Open(ctx, camera, talk.Talker{Name: by.Name, Key: by.Key}, from)
	var busy *talk.Busy
	if errors.As(err, &busy) {
		return nil, &api.TalkBusy{Name: busy.Talker, Since: busy.Since}
	}
	return s, err
}

func (t talks) Talk(id string) (api.Talk, bool) {
	s, ok := t.desk.Session(id)
	return spoken{s}, ok
}

type spoken struct{ *talk.Session }

func (s spoken) By() api.Viewer {
	by := s.Talker()
	return api.Viewer{Name: by.Name, Key: by.Key, MayTalk: true}
}

func (s spoken) Takes() av.Track { return s.Track() }

// Talker tells who speaks at the desk, as Devices asks for it.
func Talker(desk *talk.Desk) func(camera string) (string, time.Time, bool) {
	return func(camera string) (string, time.Time, bool) {
		by, since, ok := desk.Who(camera)
		return by.Name, since, ok
	}
}

// Viewers lists who watches by s and by r; either may be nil.
func Viewers(s *whep.Server, r *restream.Server) func() []api.Viewing {
	return func() []api.Viewing {
		var out []api.Viewing
		if s != nil {
			for _, x := range s.Stats() {
				out = append(out, api.Viewing{
					Kind: "webrtc", ID: x.ID, Camera: x.Camera, Stream: x.Stream, By: x.Name, Address: x.Remote, Transport: x.Transport,
					Rendition: x.Rendition, Since: x.Since, Bytes: x.Bytes, Packets: x.Packets, Loss: x.Loss, Repeated: x.Repeated, SkippedGOPs: x.SkippedGOPs,
				})
			}
		}
		if r != nil {
			for _, x := range r.Stats().Readers {
				by := x.User
				if x.Name != "" {
					by += ", " + x.Name
				}
				out = append(out, api.Viewing{
					Kind: "rtsp", ID: strconv.FormatUint(x.ID, 10), Camera: x.Camera, Stream: x.Stream, By: by, Address: x.Address, Transport: x.Transport,
					Rendition: x.Rendition, Since: x.Since, Bytes: x.Bytes, Packets: x.Packets, SkippedGOPs: x.SkippedGOPs,
				})
			}
		}
		slices.SortStableFunc(out, func(a, b api.Viewing) int {
			return cmp.Or(cmp.Compare(a.Camera, b.Camera), cmp.Compare(a.Stream, b.Stream), a.Since.Compare(b.Since))
		})
		return out
	}
}
