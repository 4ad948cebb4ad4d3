package restream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/restream/ask"
	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
)

// firstPicture is how long DESCRIBE waits for a stream that has to be woken.
const firstPicture = 15 * time.Second

// answer is the response, and what is done when it has been sent.
func (c *conn) answer(ctx context.Context, req *base.Request) (*base.Response, func()) {
	switch req.Method {
	case base.Options:
		return &base.Response{StatusCode: base.StatusOK, Header: base.Header{
			"Public": base.HeaderValue{"OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"},
		}}, nil
	case base.Describe, base.Setup:
	case base.Play, base.Pause, base.Teardown, base.GetParameter, base.SetParameter:
		return c.inSession(req)
	default:
		return &base.Response{StatusCode: base.StatusNotImplemented}, nil
	}
	if req.URL == nil {
		return &base.Response{StatusCode: base.StatusBadRequest}, nil
	}
	if res := c.authorize(ctx, req); res != nil {
		return res, nil
	}
	a := ask.AddressOf(req.URL)
	if a.Camera == "" || !c.s.o.Cameras(a.Camera) || !c.who.Viewer.sees(a.Camera) {
		return refusal(base.StatusNotFound, noCamera{}), nil
	}
	if req.Method == base.Describe {
		return c.describe(ctx, req, a), nil
	}
	return c.setup(ctx, req, a), nil
}

// describe opens the stream and tells what it consists of.
func (c *conn) describe(ctx context.Context, req *base.Request, a ask.Address) *base.Response {
	f, res := c.feed(ctx, a)
	if res != nil {
		return res
	}
	body, err := f.Describe(c.speech(req, a.Camera))
	if err != nil {
		return refusal(base.StatusInternalServerError, err)
	}
	return &base.Response{StatusCode: base.StatusOK, Body: body, Header: base.Header{
		"Content-Base": base.HeaderValue{req.URL.String() + "/"},
		"Content-Type": base.HeaderValue{"application/sdp"},
	}}
}

// speech is what a back channel takes, if the request asks for one and may have it (ONVIF
// Streaming Specification 5.3).
func (c *conn) speech(req *base.Request, camera string) []format.Format {
	asked := slices.Contains(req.Header["Require"], "www.onvif.org/ver20/backchannel")
	if !asked || !c.who.Viewer.MayTalk || c.s.o.Talk == nil || !c.s.o.Talk.Takes(camera) {
		return nil
	}
	return speechFormats()
}

// feed is the stream that a names, with its tracks known. The connection keeps it.
func (c *conn) feed(ctx context.Context, a ask.Address) (*shared, *base.Response) {
	src, err := a.Source()
	if err != nil {
		return nil, refusal(base.StatusBadRequest, err)
	}
	if c.said != nil && c.said.Source == src && c.said.Usable() {
		return c.said, nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstPicture)
	defer cancel()
	f, err := c.s.feed(ctx, src)
	if err != nil {
		return nil, refusal(base.StatusServiceUnavailable, err)
	}
	if c.said != nil {
		c.s.release(c.said)
	}
	c.said = f
	if err := f.Wait(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = noPicture{src}
		}
		return nil, refusal(base.StatusServiceUnavailable, err)
	}
	return f, nil
}

// setup adds a track to the connection's session.
func (c *conn) setup(ctx context.Context, req *base.Request, a ask.Address) *base.Response {
	f := c.said
	if f == nil || f.Camera != a.Camera || f.Stream != a.Stream || !f.Usable() {
		var res *base.Response
		if f, res = c.feed(ctx, a); res != nil {
			return res
		}
	}
	ses := c.session()
	switch {
	case ses == nil:
	case !matches(req, ses):
		return &base.Response{StatusCode: base.StatusSessionNotFound}
	case ses.feed != f:
		return &base.Response{StatusCode: base.StatusAggregateOperationNotAllowed}
	case ses.plays.Load():
		return &base.Response{StatusCode: base.StatusMethodNotValidInThisState}
	}
	tr, ok := ask.TransportOf(req)
	if !ok || ses != nil && ses.udp != tr.UDP {
		return &base.Response{StatusCode: base.StatusUnsupportedTransport}
	}
	fresh := ses == nil
	if fresh {
		ses = newSession(c, f, tr.UDP)
	}
	th, res := ses.add(max(0, a.Track), tr)
	if res != nil {
		if fresh {
			ses.end() // it holds the feed already
		}
		return res
	}
	if fresh {
		c.mu.Lock()
		c.ses = ses
		c.mu.Unlock()
	}
	res = ses.ok()
	res.Header["Transport"] = th.Marshal()
	return res
}

// matches tells whether the request names the session; SETUP may leave it out.
func matches(req *base.Request, ses *session) bool {
	v := req.Header["Session"]
	if len(v) == 0 {
		return req.Method == base.Setup
	}
	var h headers.Session
	return h.Unmarshal(v) == nil && h.Session == ses.id
}

// inSession answers what needs a session. Who has one has shown a password on this
// connection, and nobody else can send on it.
func (c *conn) inSession(req *base.Request) (*base.Response, func()) {
	ses := c.session()
	if ses == nil || !matches(req, ses) {
		return &base.Response{StatusCode: base.StatusSessionNotFound}, nil
	}
	switch req.Method {
	case base.Play:
		return ses.play(req)
	case base.Pause:
		ses.pause()
	case base.Teardown:
		c.mu.Lock()
		c.ses = nil
		if c.reason == "" {
			c.reason = "it said so"
		}
		c.mu.Unlock()
		ses.end()
		c.last = true
		return &base.Response{StatusCode: base.StatusOK}, nil
	}
	return ses.ok(), nil
}

// noCamera does not tell which cameras there are to who may not see them.
type noCamera struct{}

func (noCamera) Error() string { return "there is no such camera, or it is not for this password" }
func (noCamera) Code() string  { return "E-RESTREAM-CAMERA" }
func (noCamera) Hint() string {
	return "porchlight cameras ls shows the ids; the path is /ID/main or /ID/sub."
}

type noPicture struct{ feed.Source }

func (e noPicture) Error() string {
	return fmt.Sprintf("no picture from %s/%s within %d s", e.Camera, e.Stream, int(firstPicture/time.Second))
}
func (noPicture) Code() string { return "E-RESTREAM-NO-PICTURE" }
func (noPicture) Hint() string {
	return "porchlight cameras ls tells why the camera sends nothing."
}
