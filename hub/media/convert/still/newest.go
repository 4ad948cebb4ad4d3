package still

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// newestTime is what a picture of Newest gets: 60 ms to start, 1 to 8 ms a unit of 1080p.
	newestTime = 3 * time.Second
	// maxUnits and maxRun bound what is decoded for one picture: 20 s of 30 a second, and
	// as many bytes as 13 s of 20 Mb/s.
	maxUnits = 600
	maxRun   = 32 << 20
)

// Newest makes a JPEG of the last picture that units show, of which the first is a key
// frame of t and each other belongs to the one before. That takes a decoder of its own for
// a moment, one at a time: it is for a picture that must be of now, where Still's would be
// as old as the key frame. Errors are as Still's.
func (s *Stills) Newest(ctx context.Context, units []*av.Unit, t av.Track, width, height int) ([]byte, error) {
	path, err := s.path()
	if err != nil {
		return nil, err
	}
	p, err := run(units, t)
	if err != nil {
		return nil, fault.BadPicture(err)
	}
	ctx, cancel := context.WithTimeout(ctx, newestTime)
	defer cancel()
	select {
	case s.singles <- struct{}{}:
		defer func() { <-s.singles }()
	case <-ctx.Done():
		return nil, fault.TooSlow(ctx.Err())
	}
	b, err := s.last(ctx, path, p, len(units))
	if err != nil {
		return nil, err
	}
	out, err := encode(b, p.width, p.height, width, height)
	if err != nil {
		return nil, fault.BadPicture(err)
	}
	return out, nil
}

// run is units as the decoder is to see them.
func run(units []*av.Unit, t av.Track) (*picture, error) {
	if len(units) == 0 || len(units) > maxUnits {
		return nil, fmt.Errorf("it is behind %d others", len(units))
	}
	p, err := dress(units[0], t)
	for _, u := range units[1:] {
		if err == nil {
			err = p.take(u)
		}
		if err == nil && len(p.annexB) > maxRun {
			err = fmt.Errorf("it is behind %d bytes of others", len(p.annexB))
		}
		if err != nil {
			break
		}
	}
	return p, err
}

// last gives the planes of the last of n pictures.
func (s *Stills) last(ctx context.Context, path string, p *picture, n int) ([]byte, error) {
	w, err := s.begin(path, p, n)
	if err != nil {
		return nil, fault.BadFFmpeg(err)
	}
	defer s.end(w)
	stop := context.AfterFunc(ctx, w.process.Kill)
	defer stop()
	deadline, _ := ctx.Deadline()
	if err := errors.Join(w.in.SetWriteDeadline(deadline), w.out.SetReadDeadline(deadline)); err != nil {
		return nil, fault.BadFFmpeg(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = w.in.Write(p.annexB) // what is missing shows in what comes out
		_ = w.in.Close()            // End closes it once more
	}()
	defer func() { <-written }()
	defer w.kill() // a writer that nobody reads from comes back
	b := make([]byte, p.size())
	size, err := w.frames.next()
	if err == nil && size != len(b) {
		err = fmt.Errorf("a frame of %d bytes came, which is none of a picture of %dx%d", size, p.width, p.height)
	}
	if err == nil {
		err = w.frames.read(b)
	}
	switch {
	case err == nil:
		return b, nil
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.TooSlow(ctx.Err())
	}
	return nil, fault.BadPicture(fmt.Errorf("of %d pictures the last one did not come: %w", n, err))
}

// begin starts an ffmpeg that puts out the last of n pictures and ends with its input.
func (s *Stills) begin(path string, p *picture, n int) (*worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	c, err := child.Start(path, slices.Concat(input(p.codec), []string{"-frames:v", "1",
		"-vf", fmt.Sprintf("select=gte(n\\,%d),setpts=PTS-STARTPTS,%s", n-1, planar)}, output())...)
	if err != nil {
		return nil, err
	}
	s.stats.Starts++
	s.single = c
	s.work.Add(1)
	return &worker{codec: p.codec, in: c.In, out: c.Out, frames: newFrames(c.Out), process: c}, nil
}

func (s *Stills) end(w *worker) {
	w.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single = nil
	s.work.Done()
}
