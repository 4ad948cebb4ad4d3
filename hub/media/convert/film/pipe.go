package film

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// stall: an ffmpeg that takes nothing for so long is not waited for any more. A picture
	// of 4K takes a weak machine a tenth of it.
	stall = 5 * time.Second
	// lead is the time of the first picture, so that those of an open GOP that are shown
	// before it have one too.
	lead = 10 * time.Second
	// longest that one ffmpeg runs: FLV counts milliseconds in 32 bits.
	longest = 20 * 24 * time.Hour
	// maxBehind pictures wait for what is made of them.
	maxBehind = 1024
	// nearby: FLV rounds to milliseconds, and Matroska to microseconds.
	nearby = 1500 * time.Microsecond
	// maxPixels of a picture: two 4K sensors side by side and a little.
	maxPixels = 20 << 20
)

// Errors.
var (
	ErrUnsupported = errors.New("this kind of picture is not converted")
	errBehind      = errors.New("ffmpeg answers nothing")
	errLong        = errors.New("it has run for as long as one may")
)

// Pipe is one ffmpeg that runs. Put is for one goroutine and Next for another; End and
// what else there is for any.
type Pipe struct {
	from    av.Track
	process *child.Process
	tags    tags
	keyed   bool
	base    int64 // time stamp of the first picture
	buf     []byte

	mu      sync.Mutex
	to      av.Track
	waiting []picture // went in, as they did
	newest  int64     // pts that went in
	reached int64     // pts that came out
	jumped  bool      // a picture that went in had none before it
}

// picture is one that went in.
type picture struct {
	pts  int64
	wall time.Time
	recv time.Time
}

// Options of a pipe.
type Options struct {
	Path    string // of ffmpeg
	From    av.Track
	Want    av.VideoRendition
	Threads int  // of the encoder; 0: one
	Old     bool // an ffmpeg from before 5.1
}

// Open starts ffmpeg.
func Open(o Options) (*Pipe, error) {
	head, err := opening(o.From)
	if err != nil {
		return nil, err
	}
	pl, err := planOf(o.From, o.Want)
	if err != nil {
		return nil, err
	}
	p := &Pipe{from: o.From, to: pl.track(o.From), buf: head}
	if p.process, err = child.Start(o.Path, pl.arguments(o)...); err != nil {
		return nil, err
	}
	p.tags.r = bufio.NewReaderSize(p.process.Out, 64<<10)
	return p, nil
}

// Track that comes out; without its parameter sets before the first picture.
func (p *Pipe) Track() av.Track {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to
}

// Put hands a picture in, which came at recv. What comes before the first key frame is
// nothing to begin with. After an error the pipe is to be ended.
func (p *Pipe) Put(u *av.Unit, recv time.Time) error {
	if !p.keyed {
		if !u.Key && p.from.Codec != av.MJPEG {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.jumped = p.jumped || u.Discontinuity
			return nil
		}
		p.keyed, p.base = true, u.PTS
	}
	at := p.at(u.PTS)
	if at < 0 {
		return nil
	}
	if at > longest {
		return errLong
	}
	if err := p.note(u, recv); err != nil {
		return err
	}
	p.buf = block(p.buf, uint64(at/time.Microsecond), u.Key, len(u.Data))
	p.buf = append(p.buf, u.Data...)
	if err := p.process.In.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	_, err := p.process.In.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// at is a time stamp in ffmpeg's time.
func (p *Pipe) at(pts int64) time.Duration { return lead + p.from.Duration(pts-p.base) }

func (p *Pipe) note(u *av.Unit, recv time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) >= maxBehind {
		return errBehind
	}
	p.jumped = p.jumped || u.Discontinuity
	p.waiting = append(p.waiting, picture{u.PTS, u.Wall, recv})
	if len(p.waiting) == 1 || u.PTS > p.newest {
		p.newest = u.PTS
	}
	return nil
}

// Next waits for a picture, and tells when the one it was made of came.
func (p *Pipe) Next() (*av.Unit, time.Time, error) {
	for {
		g, err := p.tags.next()
		if err != nil {
			return nil, time.Time{}, err
		}
		if g.sps == nil {
			return p.dated(g)
		}
		t, err := av.H264Track(p.from.ID, g.sps, g.pps)
		if err != nil {
			return nil, time.Time{}, err
		}
		p.mu.Lock()
		t.FPS = cmp.Or(p.to.FPS, t.FPS)
		p.to = t
		p.mu.Unlock()
	}
}

// dated gives a picture the time of the one that it was made of.
func (p *Pipe) dated(g tag) (*av.Unit, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.to.SPS) == 0 {
		return nil, time.Time{}, errFLV
	}
	at := time.Duration(g.ms) * time.Millisecond
	i := slices.IndexFunc(p.waiting, func(w picture) bool { return (p.at(w.pts) - at).Abs() <= nearby })
	if i < 0 {
		return nil, time.Time{}, fmt.Errorf("a picture of %v that did not go in came out", at)
	}
	of := p.waiting[i]
	p.waiting = slices.DeleteFunc(p.waiting, func(w picture) bool { return w.pts <= of.pts })
	u := &av.Unit{Track: p.to.ID, Key: g.key, PTS: of.pts, DTS: of.pts, Wall: of.wall, Data: g.data, Discontinuity: p.jumped}
	p.reached, p.jumped = of.pts, false
	return u, of.recv, nil
}

// Behind is how much film went in that did not come out yet.
func (p *Pipe) Behind() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return 0
	}
	return p.from.Duration(p.newest - max(p.reached, p.waiting[0].pts))
}

// PID of ffmpeg.
func (p *Pipe) PID() int { return p.process.PID() }

// Said is what ffmpeg wrote last on stderr.
func (p *Pipe) Said() string { return p.process.Said() }

// End ends ffmpeg and waits until it is gone; a waiting Next returns.
func (p *Pipe) End() { p.process.End() }
