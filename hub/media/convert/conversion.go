package convert

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// pumpBatch is what a conversion takes of its source at a time.
	pumpBatch = 256 << 10
	// old units are of before the conversion began: they are not due now.
	old = time.Second
	// soundAhead of the newest picture goes at once; the rest waits for the pictures, of
	// which the first take ffmpeg's start, for no longer than soundWait.
	soundAhead = 100 * time.Millisecond
	soundWait  = 3 * time.Second
	maxEarly   = 1024
	// hopeless: an ffmpeg that failed so often and gave nothing will give nothing.
	hopeless = 3
)

// errUnused: nobody reads it any more.
var errUnused = errors.New("the conversion has ended")

// key names what readers can share.
type key struct {
	camera, stream string
	want           av.Rendition
}

// conversion writes one form of a stream into a ring of its own.
type conversion struct {
	key     key
	how     string
	src     *media.Stream
	out     *media.Stream
	path    func() (string, error)
	now     func() time.Time
	log     *slog.Logger
	film    bool // has one of the places for films
	threads int

	ready chan struct{} // closed when what the ring held is through
	done  chan struct{} // closed when it has ended
	err   error         // why; set before done is closed

	mu    sync.Mutex // what follows is written to by the pump and by what ffmpeg makes
	w     *media.Writer
	parts parts
	early []early       // sound that waits for its picture
	shown time.Duration // time of the newest picture that was made
	made  av.Track      // of the pictures that are made
	ripe  bool          // ready is closed

	// Of Renditions, under its lock.
	users  int
	linger *time.Timer
	cancel context.CancelFunc
}

// early is a unit of sound of which the picture is still being made.
type early struct {
	u      *av.Unit
	recv   time.Time
	at     time.Duration // its own time
	shared bool
	since  time.Time
}

// run converts until ctx ends or nothing can come any more.
func (c *conversion) run(ctx context.Context, start av.Start) {
	defer context.AfterFunc(ctx, func() { // the pump may wait for one of them
		for _, l := range c.lines() {
			l.end()
		}
	})()
	err := c.pump(ctx, start)
	if ctx.Err() != nil {
		err = errUnused
	}
	c.stop()
	c.err = err
	close(c.done)
	c.out.Discard(err)
}

func (c *conversion) pump(ctx context.Context, start av.Start) error {
	r := c.src.Open(media.ReadOptions{Start: start, BatchBytes: pumpBatch, Quiet: true, Times: true, Pauses: true})
	defer r.Close()
	begun := c.now()
	var epoch uint32
	through := false
	for {
		// The source's newest unit is as late as it will be: what is to come is live.
		if !through && r.Stats().Lag == 0 {
			through = true
			c.through(ctx, start)
		}
		batch, err := r.Next(ctx)
		switch {
		case errors.Is(err, media.ErrPaused):
			c.pause()
			continue
		case err != nil:
			return err
		}
		if g := batch[0].Generation; g != epoch || c.w == nil {
			epoch = g
			if err := c.begin(r.Tracks()); err != nil {
				return err
			}
		}
		for i, u := range batch {
			c.unit(ctx, u, r.Received(i), begun)
		}
		if err := c.lost(); err != nil {
			return err
		}
	}
}

// through says that the ring's past is through, once what ffmpeg has of it has come out.
func (c *conversion) through(ctx context.Context, start av.Start) {
	if v := c.parts.voice; v != nil && start.From == av.FromSecondsBack {
		v.settle(ctx.Done())
	}
	if c.parts.film != nil {
		return // the first picture says so
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ripen()
}

// ripen says that there is something to read; c is locked.
func (c *conversion) ripen() {
	if !c.ripe {
		c.ripe = true
		close(c.ready)
	}
}

// pause ends what is written, as the source has.
func (c *conversion) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w != nil {
		st, _ := c.src.State()
		c.w.End(st.Reason)
		c.w, c.early = nil, nil
	}
}

// begin takes the tracks of a generation of the source.
func (c *conversion) begin(tracks []av.Track) error {
	d := differ(c.src, tracks, c.key.want)
	before := c.parts
	p, err := partsOf(tracks, c.key.want, d, maker{path: c.path, emit: c.sound, show: c.picture, now: c.now, log: c.log, threads: c.threads, before: &before})
	if err != nil {
		return err
	}
	before.endBut(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.film != nil && p.film == before.film && len(c.made.SPS) > 0 {
		p.tracks[slices.IndexFunc(p.tracks, func(t av.Track) bool { return t.ID == p.video })] = c.made
	}
	c.parts = p
	c.release()
	if c.w == nil {
		c.w, err = c.out.Begin(p.tracks)
		return err
	}
	return c.w.SetTracks(p.tracks)
}

// unit takes one of the source.
func (c *conversion) unit(ctx context.Context, u *av.Unit, recv, begun time.Time) {
	p := &c.parts // changed by the pump alone
	switch {
	case p.hasVideo && u.Track == p.video:
		// Of the past the sound goes first, so that who begins there hears it.
		if p.voice != nil && begun.Sub(recv) > old && u.Key {
			p.voice.settle(ctx.Done())
		}
		if p.film != nil {
			p.film.put(u, recv)
		} else {
			c.relay(u, recv, true)
		}
	case p.hasSound && u.Track == p.sound && p.voice != nil:
		p.voice.put(u, recv)
	case p.hasSound && u.Track == p.sound:
		c.heard(u, recv, true)
	}
}

// sound takes what a voice has made.
func (c *conversion) sound(u *av.Unit, recv time.Time) { c.heard(u, recv, false) }

// heard takes sound, which waits for its picture where that is made.
func (c *conversion) heard(u *av.Unit, recv time.Time, shared bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parts.film == nil {
		c.enter(u, recv, shared)
		return
	}
	i := slices.IndexFunc(c.parts.tracks, func(t av.Track) bool { return t.ID == u.Track })
	if i < 0 {
		return
	}
	c.early = append(c.early, early{u, recv, c.parts.tracks[i].Duration(u.DTS), shared, c.now()})
	c.release()
}

// picture takes what a film has made.
func (c *conversion) picture(m machine, u *av.Unit, recv time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w == nil {
		return
	}
	c.made = m.Track()
	if err := c.w.SetTrack(c.made); err != nil {
		c.log.Debug("track", "err", err)
		return
	}
	c.shown = c.made.Duration(u.DTS)
	c.enter(u, recv, false)
	c.release()
	c.ripen()
}

// release lets sound go whose picture has come, or is not to be waited for; c is locked.
func (c *conversion) release() {
	now := c.now()
	for len(c.early) > 0 {
		e := c.early[0]
		if c.parts.film != nil && e.at > c.shown+soundAhead && now.Sub(e.since) < soundWait && len(c.early) < maxEarly {
			return
		}
		c.early = slices.Delete(c.early, 0, 1)
		c.enter(e.u, e.recv, e.shared)
	}
}

func (c *conversion) relay(u *av.Unit, recv time.Time, shared bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(u, recv, shared)
}

// enter writes; c is locked.
func (c *conversion) enter(u *av.Unit, recv time.Time, shared bool) {
	if c.w == nil {
		return // the last of what ffmpeg made before the source went
	}
	if err := c.w.Relay(u, recv, shared); err != nil {
		c.log.Debug("relay", "err", err)
	}
}

// lost is why the picture will not come.
func (c *conversion) lost() error {
	if c.parts.film == nil {
		return nil
	}
	fails, made, why := c.parts.film.trouble()
	var f *fault.Fault
	if !made && (fails >= hopeless || errors.As(why, &f) && f.NeedsMending()) {
		return why
	}
	return nil
}

// stop ends what runs.
func (c *conversion) stop() {
	c.parts.end()
}

// lines that run ffmpegs now.
func (c *conversion) lines() []*line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parts.lines()
}

// await returns when there is something to read, or as long ago as there ever will be.
func (c *conversion) await(ctx context.Context) error {
	limit := time.NewTimer(readyWait)
	defer limit.Stop()
	select {
	case <-c.ready:
	case <-limit.C:
	case <-c.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}
