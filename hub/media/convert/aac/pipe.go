package aac

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// stall: an ffmpeg that takes nothing for so long is not waited for any more.
	stall = 2 * time.Second
	// patience: time stamps that stray less than this from the count of samples are
	// rounding, or a clock that runs a little off; what strays more is a gap.
	patience = 40 * time.Millisecond
	// maxBehind units wait for what is made of them, a minute and more.
	maxBehind = 4096
	// sampleBytes of L16, one channel.
	sampleBytes = 2
)

// ErrUnsupported: AAC of this kind is not made or read here.
var ErrUnsupported = errors.New("this kind of AAC is not converted")

// errBehind: ffmpeg takes and gives nothing.
var errBehind = errors.New("ffmpeg answers nothing")

// Pipe is one ffmpeg that runs. Put is for one goroutine and Next for another; End and
// what else there is for any.
type Pipe struct {
	from, to av.Track
	layout   layout // of what goes in, if that is AAC
	process  *child.Process
	out      *bufio.Reader
	buf      []byte

	mu      sync.Mutex
	anchors []anchor // oldest first
	in      int64    // samples that went in
	last    anchor   // newest
	made    int64    // units that came out
}

// anchor ties a sample to its time.
type anchor struct {
	at    int64 // number of the first sample of a unit that went in
	pts   int64
	fresh bool
	wall  time.Time
	recv  time.Time
}

// Open starts ffmpeg at path. AAC becomes L16 of one channel and the same rate, or AAC as
// it is asked; L16 of one channel becomes AAC.
func Open(path string, from av.Track, to av.AudioRendition) (*Pipe, error) {
	p := &Pipe{from: from}
	var in []string
	switch {
	case from.Codec == av.AAC:
		l, err := layoutOf(from)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		p.layout = l
		in = []string{"-f", "aac"}
	case from.Codec == av.L16 && from.Channels == 1 && to.Codec == av.AAC:
		in = []string{"-f", "s16be", "-ar", fmt.Sprint(from.SampleRate), "-ac", "1"}
	default:
		return nil, fmt.Errorf("%w: %s of %d channels to %s", ErrUnsupported, from.Codec, from.Channels, to.Codec)
	}
	var out []string
	var err error
	if p.to, out, err = target(from, to); err != nil {
		return nil, err
	}
	// The filter keeps the count of samples where a frame could not be decoded.
	args := slices.Concat([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe",
		"-max_alloc", "16777216", "-threads", "1", "-probesize", "32", "-analyzeduration", "0"}, in,
		[]string{"-i", "pipe:0", "-map", "0:a:0", "-af", "aresample=async=1:min_hard_comp=0.015"}, out,
		[]string{"-flush_packets", "1", "pipe:1"})
	if p.process, err = child.Start(path, args...); err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(p.process.Out, maxFrame+1)
	return p, nil
}

// Made is the track that Open's pipe would make.
func Made(from av.Track, to av.AudioRendition) (av.Track, error) {
	if from.Codec == av.AAC {
		if _, err := layoutOf(from); err != nil {
			return av.Track{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	t, _, err := target(from, to)
	return t, err
}

// target is the track that comes out, and what makes it.
func target(from av.Track, to av.AudioRendition) (av.Track, []string, error) {
	if to.Codec != av.AAC {
		t := av.PCMTrack(from.ID, av.L16, from.SampleRate, 1)
		return t, []string{"-ar", fmt.Sprint(t.SampleRate), "-ac", "1", "-c:a", "pcm_s16be", "-f", "s16be"}, nil
	}
	rate := Rate(cmp.Or(to.SampleRate, from.SampleRate))
	config, err := mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: rate, ChannelCount: 1}.Marshal()
	if err != nil {
		return av.Track{}, nil, fmt.Errorf("aac: %w", err)
	}
	t, err := av.AACTrack(from.ID, config)
	if err != nil {
		return av.Track{}, nil, err
	}
	kbps := 32 + rate/1500 // without a wish: 64 at 48 kHz, 42 at 16
	if to.Kbps > 0 {
		kbps = min(max(to.Kbps, 8), 320)
	}
	return t, []string{"-ar", fmt.Sprint(rate), "-ac", "1", "-c:a", "aac", "-b:a", fmt.Sprintf("%dk", kbps), "-f", "adts"}, nil
}

// Rate is the one nearest to rate that AAC has and everybody plays, from 16 to 48 kHz.
func Rate(rate int) int {
	best := 48000
	for _, r := range rates() {
		if r >= 16000 && r <= 48000 && (r-rate)*(r-rate) < (best-rate)*(best-rate) {
			best = r
		}
	}
	return best
}

// Track that comes out.
func (p *Pipe) Track() av.Track { return p.to }

// Put hands a unit in, which came at recv. After an error the pipe is to be ended.
func (p *Pipe) Put(u *av.Unit, recv time.Time) error {
	p.buf = p.buf[:0]
	samples := int64(av.AACFrame)
	if p.from.Codec == av.AAC {
		b, err := p.layout.frame(p.buf, u.Data)
		if err != nil {
			return nil // the gap that it leaves shows in the time of the next
		}
		p.buf = b
	} else {
		p.buf = append(p.buf, u.Data...)
		samples = int64(len(u.Data) / sampleBytes)
	}
	if err := p.note(u, recv, samples); err != nil {
		return err
	}
	if err := p.process.In.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	_, err := p.process.In.Write(p.buf)
	return err
}

// note remembers the time of the next samples.
func (p *Pipe) note(u *av.Unit, recv time.Time, samples int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.anchors) >= maxBehind {
		return errBehind
	}
	a := anchor{at: p.in, pts: u.PTS, wall: u.Wall, recv: recv}
	if p.in > 0 {
		want := p.last.pts + scale(p.in-p.last.at, p.from.SampleRate, int(p.from.ClockRate))
		if stray := av.Duration(u.PTS-want, p.from.ClockRate).Abs(); stray < patience && !u.Discontinuity {
			a.pts = want
		} else {
			a.fresh = true
		}
	} else {
		a.fresh = u.Discontinuity
	}
	p.anchors = append(p.anchors, a)
	p.last = a
	p.in += samples
	return nil
}

// Next waits for what comes out, and tells when what it was made of came.
func (p *Pipe) Next() (*av.Unit, time.Time, error) {
	var data []byte
	var err error
	if p.to.Codec == av.AAC {
		data, err = readFrame(p.out)
	} else {
		data = make([]byte, av.AACFrame*sampleBytes)
		_, err = io.ReadFull(p.out, data)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	n := p.made
	p.made++
	if p.to.Codec == av.AAC {
		// An encoder puts one frame of nothing in front.
		if n--; n < 0 {
			return p.Next()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dated(n*av.AACFrame, data)
}

// dated is a unit of samples from number at of what comes out.
func (p *Pipe) dated(at int64, data []byte) (*av.Unit, time.Time, error) {
	at = scale(at, p.to.SampleRate, p.from.SampleRate)
	fresh := false
	for len(p.anchors) > 1 && p.anchors[1].at <= at {
		p.anchors = p.anchors[1:]
		fresh = fresh || p.anchors[0].fresh
	}
	if len(p.anchors) == 0 || at > p.in {
		return nil, time.Time{}, errors.New("more came out than went in")
	}
	a := &p.anchors[0]
	fresh = fresh || a.fresh && at == a.at
	a.fresh = a.fresh && !fresh
	since := av.Duration(at-a.at, uint32(p.from.SampleRate))
	pts := scale(a.pts, int(p.from.ClockRate), int(p.to.ClockRate)) + scale(at-a.at, p.from.SampleRate, int(p.to.ClockRate))
	return &av.Unit{Track: p.to.ID, Key: true, Discontinuity: fresh, PTS: pts, DTS: pts, Wall: a.wall.Add(since), Data: data}, a.recv, nil
}

// scale is what n of so many a second is in another unit, rounded.
func scale(n int64, from, to int) int64 {
	s, rest := n/int64(from), n%int64(from)
	return s*int64(to) + (rest*int64(to)+int64(from)/2)/int64(from)
}

// Behind is how much sound went in of which nothing came out yet.
func (p *Pipe) Behind() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.anchors) == 0 {
		return 0
	}
	return av.Duration(p.in-p.anchors[0].at, uint32(p.from.SampleRate))
}

// PID of ffmpeg.
func (p *Pipe) PID() int { return p.process.PID() }

// Said is what ffmpeg wrote last on stderr.
func (p *Pipe) Said() string { return p.process.Said() }

// End ends ffmpeg and waits until it is gone; a waiting Next returns.
func (p *Pipe) End() { p.process.End() }
