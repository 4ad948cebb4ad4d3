package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// maxTracks of one publisher.
const maxTracks = 16

// badFrame is what a plugin must not send; it costs the plugin this connection.
type badFrame struct{ err error }

func (e *badFrame) Error() string { return e.err.Error() }
func (e *badFrame) Unwrap() error { return e.err }

// Code and Hint are for people.
func (e *badFrame) Code() string { return "E-MEDIA-FRAME" }
func (e *badFrame) Hint() string {
	return "describe each track before its first unit, and keep units under 8 MiB"
}

// publish puts what the plugin sends into the stream. The stream has its new writer with
// the first unit, so that a connection that sends nothing supersedes nobody.
func (s *Server) publish(c net.Conn, g Grant) error {
	if g.Put != nil {
		return s.hear(c, g)
	}
	a := av.Answer{Direction: av.Publish, Camera: g.Camera, Stream: g.Stream}
	if err := av.WriteAnswer(c, av.StatusOK, a); err != nil {
		return err
	}
	p := publication{stream: s.core.Stream(g.Camera, g.Stream)}
	frames := av.NewFrameReader(c, c)
	for {
		f, err := frames.Next()
		if err == nil && !f.End {
			err = p.take(f)
		}
		switch {
		case err == nil && f.End:
			p.end(orElse(f.Reason, "the plugin has stopped sending"))
			return nil
		case err == nil:
			continue
		case errors.Is(err, media.ErrSuperseded):
			sayClosing(c, "another connection publishes this stream now")
			return nil
		case !isBroken(err):
			p.end("the plugin's connection has ended")
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		p.end("the plugin sent a bad unit")
		sayClosing(c, err.Error())
		return &badFrame{err}
	}
}

// isBroken tells what the plugin did wrong from what happened to the connection.
func isBroken(err error) bool {
	var ne net.Error
	return !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) && !errors.As(err, &ne)
}

func sayClosing(c net.Conn, reason string) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a courtesy; the close follows anyway
	_ = av.SayClosing(c, reason)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// publication is what one connection has sent so far.
type publication struct {
	stream *media.Stream
	tracks []av.Track // gathered until the first unit
	w      *media.Writer
}

func (p *publication) take(f av.Frame) error {
	if f.Track != nil {
		return p.describe(*f.Track)
	}
	if p.w == nil && f.Unit.Track != av.ImageTrack {
		w, err := p.stream.Begin(p.tracks)
		if err != nil {
			return err
		}
		p.w = w
	}
	if f.Unit.Track == av.ImageTrack {
		p.stream.PutImage(f.Unit)
		return nil
	}
	return p.w.Put(f.Unit)
}

func (p *publication) describe(t av.Track) error {
	if t.ID == av.ImageTrack {
		return nil // JPEG by definition
	}
	if p.w != nil {
		return p.w.SetTrack(t)
	}
	p.tracks = slices.DeleteFunc(p.tracks, func(o av.Track) bool { return o.ID == t.ID })
	if len(p.tracks) >= maxTracks {
		return fmt.Errorf("more than %d tracks", maxTracks)
	}
	p.tracks = append(p.tracks, t)
	return nil
}

func (p *publication) end(reason string) {
	if p.w != nil {
		p.w.End(reason)
	}
}

// takePicture takes the one JPEG of a snapshot command.
func takePicture(c net.Conn, t *ticket) error {
	if err := av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Publish, Camera: t.grant.Camera}); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return fmt.Errorf("media socket: deadline: %w", err)
	}
	frames := av.NewFrameReader(c, c)
	for {
		f, err := frames.Next()
		switch {
		case err != nil && isBroken(err):
			sayClosing(c, err.Error())
			return &badFrame{err}
		case err != nil:
			return err
		case f.Track != nil:
			continue
		case f.End:
			return errors.New("media socket: end before the picture")
		case f.Unit.Track != av.ImageTrack:
			err := fmt.Errorf("media socket: unit of track %d where a picture was due", f.Unit.Track)
			sayClosing(c, err.Error())
			return &badFrame{err}
		}
		t.deliver <- media.Picture{JPEG: f.Unit.Data, Taken: f.Unit.Wall, Received: time.Now()}
		return nil
	}
}
