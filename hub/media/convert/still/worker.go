package still

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// startTime is what a fresh ffmpeg gets until the first mark comes out: 0.1 s on a PC, 1 s
	// on a small machine whose disk has to be read first.
	startTime = 6 * time.Second
	// stillTime is what one picture gets; 20 to 150 ms are usual.
	stillTime = 2 * time.Second
	// behind is how many marks follow a picture: a decoder of H.264 may hold back 16 pictures
	// (A.3.1), and ffmpeg itself two.
	behind = 18
)

// errGone: ffmpeg is not there any more.
var errGone = errors.New("ffmpeg has ended")

// worker is one running ffmpeg. It is for one goroutine at a time, except kill.
type worker struct {
	codec   av.Codec
	in, out *os.File
	frames  *frames
	process *child.Process
	n       int    // number of the last mark
	frame   []byte // of the picture read last
}

// planar is the filter that makes of any picture what encode takes.
const planar = "scale=out_range=pc,format=yuv420p"

// arguments of ffmpeg. Each frame is put out as it is, in its own size, when it is there.
func arguments(c av.Codec, old bool) []string {
	passthrough := []string{"-fps_mode", "passthrough"}
	if old { // before 5.1
		passthrough = []string{"-vsync", "0"}
	}
	return slices.Concat(input(c), []string{"-autoscale", "0"}, passthrough, []string{"-vf", planar}, output())
}

// input is what ffmpeg is told of what it reads, and how.
func input(c av.Codec) []string {
	format := "h264"
	if c == av.H265 {
		format = "hevc"
	}
	return []string{"-nostdin", "-hide_banner", "-loglevel", "error",
		"-protocol_whitelist", "pipe", "-max_alloc", "268435456",
		"-probesize", "32", "-analyzeduration", "0",
		"-threads", "1", "-max_pixels", fmt.Sprint(maxPixels), "-f", format, "-i", "pipe:0",
		"-map", "0:v:0"}
}

// output is what it is told of what it writes.
func output() []string {
	return []string{"-c:v", "rawvideo", "-flush_packets", "1", "-f", "mpjpeg", "pipe:1"}
}

// start runs ffmpeg, tells began of it and waits until it works.
func start(path string, c av.Codec, old bool, began func(*child.Process)) (*worker, error) {
	p, err := child.Start(path, arguments(c, old)...)
	if err != nil {
		return nil, err
	}
	w := &worker{codec: c, in: p.In, out: p.Out, frames: newFrames(p.Out), process: p}
	began(w.process)
	m := markOf(c, w.n)
	err = w.exchange(time.Now().Add(startTime), repeat(m, c), func() error {
		size, err := w.frames.next()
		switch {
		case err != nil:
			return err
		case size != m.size:
			return fmt.Errorf("a frame of %d bytes came, not of %d", size, m.size)
		}
		return w.frames.skip(size)
	})
	if err != nil {
		w.kill()
		if text := w.process.Said(); text != "" {
			err = fmt.Errorf("%w; it said: %s", err, text)
		}
		return nil, err
	}
	return w, nil
}

// repeat is a mark as often as it takes for the first to come out.
func repeat(m mark, c av.Codec) []byte {
	var b []byte
	for range behind {
		b = append(b, m.annexB...)
	}
	return append(b, push(c)...)
}

// still gives the planes of p, good until the next call, or nil where the decoder made
// nothing of it. After an error the worker is to be killed: what is in its pipes is not known.
func (w *worker) still(p *picture, deadline time.Time) ([]byte, error) {
	before := markOf(w.codec, w.n)
	w.n++
	m := markOf(w.codec, w.n)
	input := slices.Concat(p.annexB, repeat(m, w.codec))
	var got []byte
	err := w.exchange(deadline, input, func() error {
		for {
			size, err := w.frames.next()
			if err != nil {
				return err
			}
			switch {
			case size == p.size() && got == nil:
				if cap(w.frame) < size {
					w.frame = make([]byte, size)
				}
				got = w.frame[:size]
				err = w.frames.read(got)
			case size == m.size:
				return w.frames.skip(size)
			case size == p.size(), size == before.size && got == nil:
				err = w.frames.skip(size)
			default:
				err = fmt.Errorf("a frame of %d bytes came, which is none of a picture of %dx%d", size, p.width, p.height)
			}
			if err != nil {
				return err
			}
		}
	})
	return got, err
}

// exchange writes input while answer reads, since ffmpeg stops to read where nobody takes what it
// writes.
func (w *worker) exchange(deadline time.Time, input []byte, answer func() error) error {
	if err := errors.Join(w.in.SetWriteDeadline(deadline), w.out.SetReadDeadline(deadline)); err != nil {
		return err
	}
	written := make(chan error, 1) // of one writer, which never waits for a taker
	go func() {
		_, err := w.in.Write(input)
		written <- err
	}()
	err := answer()
	if err != nil {
		_ = w.in.SetWriteDeadline(time.Now()) // nobody reads on
	}
	werr := <-written
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errGone
	case err != nil:
		return err
	case werr != nil:
		return fmt.Errorf("write: %w", werr)
	}
	return nil
}

// kill ends ffmpeg and waits until it is gone.
func (w *worker) kill() { w.process.End() }
