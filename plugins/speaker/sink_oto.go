//go:build cgo && speaker

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ebitengine/oto/v3"

	"github.com/porchlight-hub/porchlight/plugins/speaker/decode"
)

const (
	// deviceBuffer is how much sound waits in the card: short, since it is heard as delay.
	deviceBuffer = 60 * time.Millisecond
	// playerBuffer is how much waits before it: long enough for a busy machine.
	playerBuffer = 200 * time.Millisecond
	// look is how often the sink looks how far a sound is.
	look = 2 * time.Millisecond
	// alive is how often a silent device is asked whether it still works.
	alive = time.Second
	// fade keeps a stopped sound from ending in a click.
	fade = 30 * time.Millisecond
)

// buildLacks: nothing.
func buildLacks() string { return "" }

// runSink plays what comes in, one sound after the other, until the input ends.
func runSink(in io.Reader, out io.Writer) int {
	s := &sink{out: out}
	if err := s.open(); err != nil {
		fmt.Fprintln(os.Stderr, err) // with all that was tried
		s.say("error %s", inShort(err))
		return 1
	}
	s.say("ready")
	orders := make(chan order, 1)  // 1: the reader is one order ahead of the player, so that it sees "stop"
	stop := make(chan struct{}, 1) // 1: stopping twice is stopping
	go func() {
		defer close(orders)
		r := bufio.NewReader(in)
		for {
			o, err := readOrder(r)
			if err != nil {
				return
			}
			if o.op == opStop {
				select {
				case stop <- struct{}{}:
				default:
				}
				continue
			}
			orders <- o
		}
	}()
	if err := s.serve(orders, stop); err != nil {
		s.say("error %s", inShort(err))
		return 1
	}
	return 0
}

// inShort is an error without the list of all devices that oto has tried: the
// default's answer is the one that matters.
func inShort(err error) string {
	text := strings.TrimPrefix(err.Error(), "oto: ")
	if rest, ok := strings.CutPrefix(text, `ALSA error at snd_pcm_open: "default": `); ok {
		first, _, _ := strings.Cut(rest, ", ")
		return "no device can be opened, the default one answers: " + strings.ToLower(first)
	}
	return strings.ReplaceAll(text, "\n", " ")
}

type sink struct {
	mu     sync.Mutex
	out    io.Writer
	device *oto.Context
}

// say writes a line to the plugin; one that is gone needs none.
func (s *sink) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *sink) open() error {
	device, ready, err := oto.NewContext(&oto.NewContextOptions{
		SampleRate: decode.Rate, ChannelCount: decode.Channels, Format: oto.FormatFloat32LE, BufferSize: deviceBuffer,
	})
	if err != nil {
		return err
	}
	<-ready
	s.device = device
	return device.Err()
}

// serve never lets the device rest: it is fed with silence, since to wake it (80 ms
// and more with PulseAudio) would delay just the ring after a quiet day.
func (s *sink) serve(orders <-chan order, stop <-chan struct{}) error {
	check := time.NewTicker(alive)
	defer check.Stop()
	for {
		select {
		case o, ok := <-orders:
			if !ok {
				return nil
			}
			if err := s.play(o, stop); err != nil {
				return err
			}
		case <-stop: // nothing sounds
		case <-check.C:
			if err := s.device.Err(); err != nil {
				return err
			}
		}
	}
}

// counted tells how much of a sound was read.
type counted struct {
	mu   sync.Mutex
	r    *bytes.Reader
	read int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.mu.Lock()
	c.read += n
	c.mu.Unlock()
	return n, err
}

func (c *counted) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}

// play returns when the last sample was handed to the device.
func (s *sink) play(o order, stop <-chan struct{}) error {
	select {
	case <-stop: // meant for the sound before
	default:
	}
	src := &counted{r: bytes.NewReader(o.pcm)}
	p := s.device.NewPlayer(src)
	p.SetBufferSize(int(playerBuffer.Seconds()*decode.Rate) * decode.Channels * bytesPerSample)
	p.Play()
	began, stopped := false, false
	tick := time.NewTicker(look)
	defer tick.Stop()
	for p.IsPlaying() {
		if !began && src.bytes() > p.BufferedSize() {
			began = true
			s.say("first %d", o.id)
		}
		if err := errors.Join(s.device.Err(), p.Err()); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stop:
			if !stopped {
				stopped = true
				p.SetVolume(0)
				time.AfterFunc(fade+deviceBuffer, p.Pause)
			}
		}
	}
	if !began {
		s.say("first %d", o.id)
	}
	s.say("done %d", o.id)
	return nil
}
