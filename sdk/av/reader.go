package av

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// Reader is the plugin's end of a connection on which the hub sends. It is for one
// goroutine; Close may be called from any.
type Reader struct {
	conn   net.Conn
	frames *FrameReader
	answer Answer
	tracks []Track
	err    error
}

// Reader takes what the hub sends.
func (c *Conn) Reader() *Reader {
	return &Reader{conn: c.net, frames: NewFrameReader(c.net, c.net), answer: c.answer, tracks: c.answer.Tracks}
}

// Open dials and reads.
func Open(ctx context.Context, socketPath, token string) (*Reader, error) {
	c, err := Dial(ctx, socketPath, token)
	if err != nil {
		return nil, err
	}
	return c.Reader(), nil
}

// Tracks that the units seen so far belong to. The slice is the caller's.
func (r *Reader) Tracks() []Track { return slices.Clone(r.tracks) }

// Track with that id.
func (r *Reader) Track(id uint8) (Track, bool) {
	i := slices.IndexFunc(r.tracks, func(t Track) bool { return t.ID == id })
	if i < 0 {
		return Track{}, false
	}
	return r.tracks[i], true
}

// Rendition is "copy" or "converted: reason". A stream that changes so that it is not what
// was asked any more ends the connection with that as its reason: who opens it again gets
// the form that was asked, converted if need be.
func (r *Reader) Rendition() string { return r.answer.Rendition }

// Next waits for the next unit. New parameter sets are taken from Tracks when a unit's
// Generation differs from the last one's. The end is io.EOF, or an error with the hub's
// reason. A ctx that ends while Next waits loses nothing: the next call goes on.
func (r *Reader) Next(ctx context.Context) (*Unit, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = r.conn.SetReadDeadline(time.Unix(1, 0)) })
		defer func() {
			if !stop() {
				_ = r.conn.SetReadDeadline(time.Time{})
			}
		}()
	}
	for {
		f, err := r.frames.Next()
		switch {
		case err != nil:
			if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, ctx.Err()
			}
			r.err = fmt.Errorf("media socket: read: %w", err)
			return nil, r.err
		case f.End:
			r.err = io.EOF
			if f.Reason != "" {
				r.err = &ClosedByPeer{Reason: f.Reason}
			}
			return nil, r.err
		case f.Track != nil:
			r.tracks = withTrack(r.tracks, *f.Track)
		default:
			return f.Unit, nil
		}
	}
}

// Close ends the connection; a waiting Next returns.
func (r *Reader) Close() error { return r.conn.Close() }

// withTrack is a new slice in which t stands for the track of its id. The hub describes all
// tracks of a generation, so those of an older one have gone.
func withTrack(tracks []Track, t Track) []Track {
	out := slices.DeleteFunc(slices.Clone(tracks), func(o Track) bool { return o.Generation != t.Generation })
	if i := slices.IndexFunc(out, func(o Track) bool { return o.ID == t.ID }); i >= 0 {
		out[i] = t
		return out
	}
	return append(out, t)
}

// ReadImage dials, takes one JPEG and closes.
func ReadImage(ctx context.Context, socketPath, token string) (*Unit, error) {
	r, err := Open(ctx, socketPath, token)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Next(ctx)
}
