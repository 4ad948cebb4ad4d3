package mse

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
)

// Message is a text message to the page. The binary ones between are fragmented MP4: after
// an init message its init segment, then fragments, one or more a message.
type Message struct {
	// Type is one of:
	//
	//	init     a new SourceBuffer of mime begins; what comes is in it, from start on.
	//	         The same mime as before: append as before.
	//	jump     pictures were left out, go on at start
	//	offline  the source has gone, for reason
	//	live     it is back
	//	cannot   this stream will not be shown this way, for reason: take another
	Type string `json:"type"`

	MIME       string `json:"mime,omitempty"`
	Camera     string `json:"camera,omitempty"`
	Stream     string `json:"stream,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	Sound      bool   `json:"sound,omitempty"`
	// SoundWhy says why the camera's sound is not there.
	SoundWhy string `json:"sound_why,omitempty"`
	// Rendition is copy, or "converted: " and why.
	Rendition string `json:"rendition,omitempty"`
	// Start is the time of the next picture in the MP4, in seconds.
	Start  float64 `json:"start"`
	Reason string  `json:"reason,omitempty"`
}

// ServeWS upgrades the request and sends the stream until either side ends. The query's
// sound is none, or opus for a page that can play that too, or aac; without it, aac. Its
// video=h264 is for a page that cannot play H.265. Only pages of the hub's own origin are
// let in; who may watch is the caller's to decide.
func (m *Muxers) ServeWS(w http.ResponseWriter, r *http.Request, camera, stream string) {
	k := asked(r.URL.Query(), camera, stream)
	v, leave, err := m.watch(k)
	if err != nil {
		refuseEnding(w)
		return
	}
	defer leave()
	h := &hijacker{ResponseWriter: w}
	c, err := websocket.Accept(h, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		m.log.Debug("live: accept", "camera", camera, "err", err)
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxControl)
	// Not bound to m.ctx: that would cut the connection before the page was told why.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	heard := make(chan struct{})
	go func() { // ends when the connection does, which CloseNow sees to
		defer close(heard)
		defer cancel()
		listen(ctx, c, v)
	}()
	err = send(ctx, c, h.conn, v, k)
	switch {
	case errors.Is(err, ErrClosed):
		_ = c.Close(websocket.StatusGoingAway, "the hub is going down")
	case ctx.Err() == nil:
		m.log.Info("live: viewer ended", "camera", camera, "stream", stream, "err", err)
	}
	_ = c.CloseNow()
	<-heard
}

// send writes pieces until something ends. Fragments go to raw, which c is on, as they
// are: with a header that was made once.
func send(ctx context.Context, c *websocket.Conn, raw *progressConn, v *viewer, k key) error {
	for {
		p, err := v.next(ctx)
		if err != nil {
			return err
		}
		for _, msg := range messages(p, k) {
			b, err := json.Marshal(msg)
			if err != nil {
				return err
			}
			if err := c.Write(ctx, websocket.MessageText, b); err != nil {
				return err
			}
		}
		if p.gen != nil {
			if err := c.Write(ctx, websocket.MessageBinary, p.gen.init); err != nil {
				return err
			}
		}
		if len(p.frags) > 0 {
			if _, err := raw.Write(p.message()); err != nil {
				return err
			}
		}
	}
}

// messages that go before the bytes of p.
func messages(p piece, k key) []Message {
	at := p.at.Seconds()
	switch {
	case p.status != nil && p.status.cannot:
		return []Message{{Type: "cannot", Reason: p.status.reason}}
	case p.status != nil && p.status.live:
		return []Message{{Type: "live"}}
	case p.status != nil:
		return []Message{{Type: "offline", Reason: p.status.reason}}
	case p.gen != nil:
		g := p.gen
		return []Message{{Type: "init", MIME: g.mime, Camera: k.camera, Stream: k.stream, Generation: g.id,
			Width: g.width, Height: g.height, Sound: g.sound, SoundWhy: g.mute, Rendition: g.how, Start: at}}
	case p.jump:
		return []Message{{Type: "jump", Start: at}}
	}
	return nil
}

// listen takes the page's messages until the connection ends or the page misbehaves.
func listen(ctx context.Context, c *websocket.Conn, v *viewer) {
	limit := rate.NewLimiter(rate.Every(100*time.Millisecond), maxControls)
	for {
		typ, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		msg, err := ParseControl(b)
		if err != nil || typ != websocket.MessageText || !limit.Allow() {
			_ = c.Close(websocket.StatusPolicyViolation, "not a control message of this protocol, or too many")
			return
		}
		switch msg.Type {
		case Pause:
			v.setPaused(true)
		case Resume:
			v.setPaused(false)
		}
	}
}

// ServeMP4 sends the stream as one MP4 without an end, for players that take no WebSocket,
// with the query of ServeWS. It ends when the stream's parameters change, since an MP4 has
// them once.
func (m *Muxers) ServeMP4(w http.ResponseWriter, r *http.Request, camera, stream string) {
	v, leave, err := m.watch(asked(r.URL.Query(), camera, stream))
	if err != nil {
		refuseEnding(w)
		return
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "video/mp4")
	h.Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	begun := false
	for {
		p, err := v.next(r.Context())
		switch {
		case err != nil, p.gen != nil && begun:
			return
		case p.status != nil && !begun && p.status.cannot:
			refuse(w, http.StatusUnsupportedMediaType, "E-CONV-CODEC", "the stream has no form that an MP4 can have: "+p.status.reason,
				"take the camera's other stream, or stream.mjpeg")
			return
		case p.status != nil && !begun && !p.status.live:
			refuse(w, http.StatusServiceUnavailable, "E-MEDIA-OFFLINE", "the camera sends nothing: "+p.status.reason, "look at the camera's card, and ask again")
			return
		}
		begun = begun || p.gen != nil
		// A server that knows no deadlines has its own.
		_ = rc.SetWriteDeadline(time.Now().Add(stall))
		if err := p.writeTo(w); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
	}
}

// writeTo writes the bytes of the MP4.
func (p piece) writeTo(w io.Writer) error {
	if p.gen != nil {
		if _, err := w.Write(p.gen.init); err != nil {
			return err
		}
	}
	for b := range p.bodies() {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
