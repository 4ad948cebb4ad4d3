package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// hear hands the sound that the plugin sends to the grant's own taker, not to a stream.
// The connection ends with the first that has enough, the plugin or the taker.
func (s *Server) hear(c net.Conn, g Grant) (err error) {
	reason := "the plugin's connection has ended"
	var wg sync.WaitGroup
	over := make(chan struct{}) // closed when the connection is at its end
	defer func() {
		close(over)
		wg.Wait()
		if g.Ended != nil {
			g.Ended(reason)
		}
	}()
	if err := av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Publish, Camera: g.Camera, Stream: g.Stream}); err != nil {
		return err
	}
	wg.Go(func() {
		select {
		case <-g.Done: // nil waits for ever
			sayClosing(c, "the talk is over")
			_ = c.Close()
		case <-over:
		}
	})
	frames := av.NewFrameReader(c, c)
	known := false
	for {
		f, err := frames.Next()
		var no error
		switch {
		case err != nil && isBroken(err):
			no = err
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		case f.End:
			reason = orElse(f.Reason, "the plugin has stopped sending")
			return nil
		case f.Track != nil:
			t := *f.Track
			if known = t.ID == g.Track.ID && t.Codec == g.Track.Codec && t.ClockRate == g.Track.ClockRate && t.Channels == g.Track.Channels; !known {
				no = fmt.Errorf("track %d of %s at %d Hz is not the one that was agreed on", t.ID, t.Codec, t.ClockRate)
			}
		case !known || f.Unit.Track != g.Track.ID:
			no = fmt.Errorf("a unit of track %d, which was not described", f.Unit.Track)
		default:
			if err := g.Put(f.Unit); err != nil {
				reason = err.Error()
				sayClosing(c, reason)
				return nil
			}
		}
		if no != nil {
			reason = "the plugin sent a bad unit"
			sayClosing(c, no.Error())
			return &badFrame{no}
		}
	}
}
