package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// stall: a plugin that takes nothing for so long is cut off.
	stall = 10 * time.Second
	// readBatch is the most that leaves the ring at once, so that a slow reader is
	// still moved to the newest key frame before it is sent what is old.
	readBatch = 1 << 20
	// flushAt: one write gathers so much.
	flushAt = 256 << 10
	// trackWait is how long a rendition waits for a stream to begin.
	trackWait = 3 * time.Second
)

// read sends a stream to the plugin.
func (s *Server) read(in *instance, c net.Conn, g Grant) error {
	ctx, cancel := context.WithCancel(in.ctx)
	defer cancel()
	r, err := s.open(ctx, g)
	if err != nil {
		status, a := refusal(err)
		s.refuse(in, c, status, a)
		return err
	}
	defer r.Close()
	if err := av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Read, Camera: g.Camera, Stream: g.Stream,
		Rendition: r.How(), Tracks: r.Tracks()}); err != nil {
		return err
	}
	w := av.NewFrameWriter(c)
	defer w.Close()
	in.wg.Go(func() { // ends with this connection, whoever ends it
		select {
		case <-w.Done():
			cancel()
		case <-ctx.Done():
		}
	})
	out := sender{w: w, r: r}
	for {
		batch, err := r.Next(ctx)
		if err == nil {
			err = out.send(ctx, batch)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			w.End("")
			return w.Flush(stall)
		case ctx.Err() != nil:
			return nil // the plugin has gone, or the instance ends
		default:
			w.End(err.Error())
			return errors.Join(err, w.Flush(time.Second))
		}
	}
}

// sender writes batches to one connection.
type sender struct {
	w          *av.FrameWriter
	r          *media.Rendering
	generation uint32
}

func (o *sender) send(ctx context.Context, batch []*av.Unit) error {
	if g := batch[0].Generation; g != o.generation {
		for _, t := range o.r.Tracks() {
			if err := o.w.Track(t); err != nil {
				return err
			}
		}
		o.generation = g
	}
	for _, u := range batch {
		if o.w.Queued() >= flushAt || !o.w.Room(len(u.Data)) {
			if err := o.w.Flush(stall); err != nil {
				return err
			}
			if err := o.wait(ctx, len(u.Data)); err != nil {
				return err
			}
		}
		o.w.Unit(u)
	}
	return o.w.Flush(stall)
}

// wait for credit, not for ever.
func (o *sender) wait(ctx context.Context, size int) error {
	if o.w.Room(size) {
		return o.w.Err()
	}
	wctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	err := o.w.Wait(wctx, size)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the reader has taken nothing for %v", stall)
	}
	return err
}

// open reads what g asks for.
func (s *Server) open(ctx context.Context, g Grant) (*media.Rendering, error) {
	o := media.ReadOptions{Start: g.Start, Until: g.Until, BatchBytes: readBatch}
	if s.renditions != nil {
		return s.renditions.Open(ctx, g.Camera, g.Stream, g.Rendition, o)
	}
	ctx, cancel := context.WithTimeout(ctx, trackWait)
	defer cancel()
	stream := s.core.Stream(g.Camera, g.Stream)
	want, d, err := stream.AwaitFit(ctx, g.Rendition)
	switch {
	case err != nil:
		return nil, err
	case d.Any():
		return nil, &media.Unfit{Why: d.String()}
	}
	o.Want = want
	return media.NewRendering(stream.Open(o), g.Rendition, media.Copy, nil), nil
}

// refusal is what a plugin is told: that this hub cannot, or that it may be asked again.
func refusal(err error) (av.Status, av.Answer) {
	var coded interface {
		Code() string
		Hint() string
	}
	if !errors.As(err, &coded) {
		return av.StatusBusy, av.Answer{Code: "E-MEDIA-OFFLINE", Reason: err.Error(),
			Hint: "ask again when the camera is online, or ask for the stream as it is"}
	}
	a := av.Answer{Code: coded.Code(), Reason: err.Error(), Hint: coded.Hint()}
	if errors.Is(err, av.ErrNotYet) {
		return av.StatusNotYet, a
	}
	return av.StatusBusy, a
}

// sendPicture sends the one JPEG of a picture token.
func sendPicture(ctx context.Context, c net.Conn, t *ticket) error {
	if err := av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Read, Camera: t.grant.Camera, Rendition: media.Copy}); err != nil {
		return err
	}
	w := av.NewFrameWriter(c)
	defer w.Close()
	w.Unit(&av.Unit{Track: av.ImageTrack, Key: true, Wall: t.picture.Taken, Data: t.picture.JPEG})
	w.End("")
	if err := w.Flush(stall); err != nil {
		return err
	}
	select { // the plugin closes when it has it
	case <-w.Done():
	case <-ctx.Done():
	case <-time.After(stall):
	}
	return nil
}
