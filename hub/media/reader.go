package media

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// liveLag: a reader of what is now that is further behind goes on at a newer key frame.
	liveLag = 2 * time.Second
	// batchBytes is what Next returns at most, beyond one unit, unless asked otherwise.
	batchBytes = 4 << 20
)

// Until says when a reader is at its end.
type Until uint8

// Ends of a reader.
const (
	Never     Until = iota // it waits for a next writer
	RingEnd                // at what was the newest unit when it began; of a derived stream, in its source
	WriterEnd              // when the writer that it reads from ends
)

// ReadOptions of a reader.
type ReadOptions struct {
	Start av.Start
	Want  Want
	Until Until
	// BatchBytes bounds what one Next returns; 0: 4 MiB. A single unit may be bigger.
	BatchBytes int
	// Quiet: this reader alone is no reason for the stream to come.
	Quiet bool
	// Times: Received tells when units came.
	Times bool
	// Pauses: Next says ErrPaused, once, when nobody writes any more and all is read.
	Pauses bool
}

// ErrPaused: nobody writes the stream now; a reader that goes on waits for who comes.
var ErrPaused = errors.New("the stream has paused")

// Reader is a cursor into a stream. Next is for one goroutine; Close for any.
type Reader struct {
	s    *Stream
	opts ReadOptions
	live bool

	next   uint64
	until  uint64
	last   time.Time // of a derived stream: what came later is behind RingEnd
	over   bool      // there is some
	waits  bool      // for an entry at or behind next
	writer uint64    // number of the one that it is bound to
	ord    uint64    // entries passed
	jumped [4]uint64
	set    *trackSet
	mask   [4]uint64
	batch  []*av.Unit
	times  []time.Time
	paused uint64 // number of the writer whose end was told
	closed bool
	stats  ReaderStats
}

// ReaderStats counts what a reader got and missed.
type ReaderStats struct {
	Units, Bytes uint64
	SkippedGOPs  uint64
	Lag          time.Duration // age of the oldest unit that it has not taken
}

// Read begins at start, with all tracks, and follows for ever.
func (s *Stream) Read(start av.Start) *Reader { return s.Open(ReadOptions{Start: start}) }

// Open begins reading. The caller closes the reader.
func (s *Stream) Open(o ReadOptions) *Reader {
	if o.BatchBytes == 0 {
		o.BatchBytes = batchBytes
	}
	s.tell.Lock()
	defer s.tell.Unlock()
	r := s.open(o)
	s.heard("reader")
	return r
}

func (s *Stream) open(o ReadOptions) *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Reader{s: s, opts: o, live: o.Start.From != av.FromSecondsBack, writer: s.begun}
	if s.writer == nil {
		r.writer++ // the first that comes
	}
	r.until = s.ring.end()
	if o.Until == RingEnd && s.source != nil {
		r.until, r.last = math.MaxUint64, s.source.head().Add(-s.lag)
	}
	var ok bool
	switch o.Start.From {
	case av.FromLive:
	case av.FromSecondsBack:
		r.next, ok = s.ring.entryBefore(time.Now().Add(-o.Start.Back))
	default:
		r.next, ok = s.ring.newest()
	}
	if !ok {
		r.next, r.waits = s.ring.end(), true
	}
	r.ord = s.ring.ordinal(r.next)
	s.readers[r] = struct{}{}
	if o.Quiet {
		s.quiet++
	}
	return r
}

// Next waits until there are unread units and returns them, oldest first, all of one
// generation: Tracks tells of which. The slice is the reader's own and good until the
// next call; the units are shared. After units were skipped the first one of each track is
// marked as a discontinuity.
func (r *Reader) Next(ctx context.Context) ([]*av.Unit, error) {
	for {
		r.s.mu.Lock()
		batch, wake, err := r.take()
		r.s.mu.Unlock()
		if len(batch) > 0 || err != nil {
			return batch, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns what is unread, or what to wait for. The stream is locked.
func (r *Reader) take() ([]*av.Unit, <-chan struct{}, error) {
	if r.closed {
		return nil, nil, io.ErrClosedPipe
	}
	if r.opts.Until == WriterEnd && r.s.begun > r.writer {
		return nil, nil, io.EOF // what another writes is not for this reader
	}
	clear(r.batch)
	r.batch, r.times = r.batch[:0], r.times[:0]
	r.place()
	for r.next < r.s.ring.end() && len(r.batch) == 0 && !r.over && !(r.opts.Until == RingEnd && r.next >= r.until) {
		r.fill()
	}
	if len(r.batch) > 0 {
		return r.batch, nil, nil
	}
	switch {
	case r.s.failed != nil:
		return nil, nil, r.s.failed
	case r.opts.Until == RingEnd && r.s.source != nil:
		g := &r.s.ring
		if r.over || r.s.writer == nil || r.next >= g.end() && g.n > 0 && !g.at(g.end()-1).recv.Before(r.last) {
			return nil, nil, io.EOF
		}
	case r.opts.Until == RingEnd && (r.next >= r.until || r.waits):
		return nil, nil, io.EOF
	case r.opts.Until == WriterEnd && r.writerGone():
		return nil, nil, io.EOF
	case r.opts.Pauses && r.s.writer == nil && r.paused != r.s.begun:
		r.paused = r.s.begun
		return nil, nil, ErrPaused
	}
	r.s.waiting++
	return nil, r.s.wake, nil
}

// writerGone reports whether the writer that this reader is bound to has ended.
func (r *Reader) writerGone() bool {
	return r.s.begun > r.writer || r.s.begun == r.writer && r.s.writer == nil
}

// place moves the cursor to where the reader can go on.
func (r *Reader) place() {
	g := &r.s.ring
	if r.waits {
		e, ok := g.entryFrom(r.next)
		if !ok {
			r.next = g.end()
			return
		}
		r.next, r.waits = e, false
		r.ord = g.ordinal(e)
	}
	newest, ok := g.newest()
	switch {
	case r.next < g.first:
		if !ok {
			r.skip(g.end(), g.passed)
			r.waits = true
			return
		}
		r.skip(newest, g.ordinal(newest))
	case r.live && ok && newest > r.next && time.Since(g.at(r.next).recv) > liveLag:
		r.skip(newest, g.ordinal(newest))
	}
}

func (r *Reader) skip(to, ord uint64) {
	n := max(1, ord-min(ord, r.ord))
	r.stats.SkippedGOPs += n
	r.s.skipped += n
	r.next, r.ord = to, ord
	r.jumped = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
}

// fill gathers units of one generation.
func (r *Reader) fill() {
	g := &r.s.ring
	set := g.at(r.next).set
	if set != r.set {
		r.set, r.mask = set, r.opts.Want.pick(set)
	}
	bytes := 0
	for ; r.next < g.end(); r.next++ {
		sl := g.at(r.next)
		if sl.set != set || bytes >= r.opts.BatchBytes || r.opts.Until == RingEnd && r.next >= r.until {
			break
		}
		if !r.last.IsZero() && sl.recv.After(r.last) {
			r.over = true
			break
		}
		u := sl.unit
		word, bit := u.Track>>6, uint64(1)<<(u.Track&63)
		if r.mask[word]&bit == 0 {
			continue
		}
		if r.jumped[word]&bit != 0 {
			r.jumped[word] &^= bit
			c := *u // the unit itself is shared
			c.Discontinuity = true
			u = &c
		}
		bytes += len(u.Data)
		r.batch = append(r.batch, u)
		if r.opts.Times {
			r.times = append(r.times, sl.recv)
		}
	}
	r.ord = g.ordinal(r.next - 1)
	r.stats.Units += uint64(len(r.batch))
	r.stats.Bytes += uint64(bytes)
}

// Stream that is read.
func (r *Reader) Stream() *Stream { return r.s }

// Received is when unit i of the last batch came, by the hub's clock, if Times was asked.
func (r *Reader) Received(i int) time.Time { return r.times[i] }

// Tracks that the last batch belongs to, without those that the reader did not want;
// before the first batch, those of the stream now.
func (r *Reader) Tracks() []av.Track {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	set := r.set
	if set == nil {
		set = r.s.set
	}
	mask := r.opts.Want.pick(set)
	var out []av.Track
	for _, t := range set.tracks {
		if mask[t.ID>>6]&(1<<(t.ID&63)) != 0 {
			out = append(out, t)
		}
	}
	return out
}

// allTracks of the generation of the last batch, wanted or not.
func (r *Reader) allTracks() []av.Track {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.set == nil {
		return r.s.set.tracks
	}
	return r.set.tracks
}

// Stats of this reader.
func (r *Reader) Stats() ReaderStats {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	st := r.stats
	if g := &r.s.ring; !r.waits && r.next < g.end() {
		st.Lag = time.Since(g.at(max(r.next, g.first)).recv)
	}
	return st
}

// Close ends the reader; a waiting Next returns.
func (r *Reader) Close() {
	r.s.tell.Lock()
	defer r.s.tell.Unlock()
	if r.close() {
		r.s.heard("")
	}
}

// close reports whether this was the first time.
func (r *Reader) close() bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	first := !r.closed
	if r.closed = true; first && r.opts.Quiet {
		r.s.quiet--
	}
	delete(r.s.readers, r)
	r.s.broadcast()
	return first
}
