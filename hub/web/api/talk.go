package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// talkRate of the sound that a page sends by WebSocket, in samples a second.
	talkRate = 16000
	// maxPiece bounds a message of sound: 100 ms.
	maxPiece = talkRate / 10 * 2
	// talkSlack is how far the page's sound may lag behind the clock before the rest is
	// taken for a gap.
	talkSlack = 200 * time.Millisecond
)

// TalkBusy: somebody speaks at the camera already.
type TalkBusy struct {
	Name  string
	Since time.Time
}

func (e *TalkBusy) Error() string { return e.Name + " is talking there" }

// Code names the problem.
func (e *TalkBusy) Code() string { return "E-TALK-BUSY" }

// Hint says how to mend it.
func (e *TalkBusy) Hint() string { return "Wait until they have finished: one person talks at a time." }

type talkIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body *struct {
		Session string `json:"session,omitempty" maxLength:"128" doc:"the id of a WHEP session of the same login whose sound is meant; without, the sound comes by WebSocket"`
	}
}

type talkPath struct {
	ID   string `path:"id" maxLength:"64"`
	Talk string `path:"talk" maxLength:"128"`
}

func (h *house) talks(m *Routes) {
	route(h, http.MethodPost, "/cameras/{id}/talk", "Talk at the door; 409 says who does already", ofCamera(access.ScopeTalk), http.StatusCreated, h.beginTalk)
	route(h, http.MethodDelete, "/cameras/{id}/talk/{talk}", "End a talk of one's own", ofCamera(access.ScopeTalk), http.StatusNoContent, func(ctx context.Context, in *talkPath) (*nothing, error) {
		if h.Rooms.Talks != nil {
			if _, on := h.Rooms.Talks.Talk(in.Talk); !on {
				return nil, nil // it is over already, as with its session
			}
		}
		t, err := h.talk(ctx, in.ID, in.Talk)
		if err != nil {
			return nil, err
		}
		t.Close("ended")
		return nil, nil
	})
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/talk/{talk}/ws", h.speak)
}

func (h *house) beginTalk(ctx context.Context, in *talkIn) (*answer[TalkBegun], error) {
	c, err := h.camera(ctx, in.ID)
	switch {
	case err != nil:
		return nil, err
	case h.Rooms.Talks == nil:
		return nil, notYet("talk")
	case c.Button:
		return nil, noSource(c)
	}
	session := ""
	if in.Body != nil {
		session = in.Body.Session
	}
	t, err := h.Rooms.Talks.Begin(ctx, in.ID, viewer(ctx), session)
	if err != nil {
		return nil, err
	}
	out := TalkBegun{ID: t.ID(), Camera: in.ID, By: t.By().Name, Codec: string(t.Takes().Codec)}
	if session == "" {
		out.Socket = Prefix + "/cameras/" + in.ID + "/talk/" + t.ID() + "/ws"
	}
	return &answer[TalkBegun]{out}, nil
}

// talk of the asker's own.
func (a *API) talk(ctx context.Context, camera, id string) (Talk, error) {
	if _, err := a.camera(ctx, camera); err != nil {
		return nil, err
	}
	if a.Rooms.Talks == nil {
		return nil, notYet("talk")
	}
	t, ok := a.Rooms.Talks.Talk(id)
	if !ok || t.Camera() != camera || t.By().Key != viewer(ctx).Key {
		return nil, notFound("talk", id)
	}
	return t, nil
}

// speak takes the sound of a page that has no WebRTC.
func (h *house) speak(w http.ResponseWriter, r *http.Request) {
	if p := h.may(r.Context(), ofCamera(access.ScopeTalk)); p != nil {
		p.Write(w)
		return
	}
	if !sameOrigin(r) {
		crossSite().Write(w)
		return
	}
	t, err := h.talk(r.Context(), r.PathValue("id"), r.PathValue("talk"))
	if err != nil {
		Describe(err).Write(w)
		return
	}
	h.moving(func(w http.ResponseWriter, r *http.Request, _ string) { listenTo(w, r, t) })(w, r, t.Camera())
}

// talkOver is the last message to the page.
type talkOver struct {
	Type   string `json:"type"` // ended
	Reason string `json:"reason,omitempty"`
	Code   string `json:"code,omitempty"`
}

// listenTo puts what comes by WebSocket until either side ends.
func listenTo(w http.ResponseWriter, r *http.Request, t Talk) {
	defer t.Close("the page has gone")
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxPiece)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	heard := make(chan bool, 1) // whether what came was sound; one word, when nothing more is read
	go func() { heard <- hear(ctx, c, t) }()
	select {
	case <-t.Done():
		_ = c.Write(ctx, websocket.MessageText, over(t.Err()))
		_ = c.Close(websocket.StatusNormalClosure, "the talk is over")
		cancel()
		<-heard
	case good := <-heard:
		t.Close("the page has gone")
		if !good {
			_ = c.Close(websocket.StatusPolicyViolation, "not samples of 16 bit")
		}
	}
}

// hear puts what c sends until c or the talk ends; false: it sent something else.
func hear(ctx context.Context, c *websocket.Conn, t Talk) bool {
	var s speech
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return true
		}
		if kind != websocket.MessageBinary || len(b)%2 != 0 || len(b) == 0 {
			return false
		}
		if t.Put(s.unit(b, time.Now())) != nil {
			<-t.Done() // which says why
			return true
		}
	}
}

func over(err error) []byte {
	out := talkOver{Type: "ended"}
	if err != nil {
		p := Describe(err)
		out.Reason, out.Code = p.Error(), p.Code()
	}
	b, _ := json.Marshal(out) // strings only
	return b
}

// speech puts times on samples that come by themselves.
type speech struct {
	begun time.Time
	next  int64 // the sample that is to come
}

func (s *speech) unit(b []byte, now time.Time) *av.Unit {
	u := &av.Unit{Data: b, Wall: now}
	at := int64(0)
	if s.begun.IsZero() {
		s.begun = now
	} else if at = av.Ticks(now.Sub(s.begun), talkRate); at > s.next+av.Ticks(talkSlack, talkRate) {
		u.Discontinuity, s.next = true, at // nothing came for a while
	}
	u.PTS, u.DTS = s.next, s.next
	s.next += int64(len(b) / 2)
	return u
}

// SpeechTrack is what a page sends by WebSocket.
func SpeechTrack() av.Track { return av.PCMTrack(1, av.L16, talkRate, 1) }
