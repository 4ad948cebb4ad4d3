package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// feedBytes bounds what a feed keeps of a stream; what it keeps is in the ring as well,
	// but for its packets.
	feedBytes = 24 << 20
	// packetsKept is how long the packets of a unit are kept for all; a reader that is later
	// makes its own.
	packetsKept = 250 * time.Millisecond
	// behind is how far a reader may be behind before it goes on at a newer key frame.
	behind = 2 * time.Second
	// reportEvery is how often readers are told how the tracks' clocks relate (RFC 3550 6.2).
	reportEvery = 5 * time.Second
	// maxTracks that a reader is offered.
	maxTracks = 8
)

// Source names what a feed is of.
type Source struct {
	Camera, Stream string
	Want           av.Rendition
}

// errShape ends a feed whose stream has become another: readers have to ask again.
var errShape = errors.New("the stream has other tracks now")

// Entry is one unit, or one report, as the feed's readers get it.
type Entry struct {
	unit    *av.Unit     // nil: a report
	packer  *wire.Packer // of its track and generation
	track   int
	seq     uint16 // of its first packet
	packets int
	bytes   int
	wire    []byte // nil: the packets are older than packetsKept
	begin   bool   // a reader may begin here
	counted bool   // a part of one that was counted
	at      time.Time
}

// Feed is one stream as packets: one reader of the ring, any number of cursors.
type Feed struct {
	Source
	rendering *media.Rendering
	now       func() time.Time
	pushing   []*Cursor     // of Run: those that are written for now
	ready     chan struct{} // closed when the tracks are known, or the feed has ended

	mu      sync.Mutex
	more    sync.Cond // an entry more, or the end
	packers []*wire.Packer
	video   bool     // one of the tracks has pictures
	seqs    []uint16 // next of each track
	sent    []sums
	epoch   uint32
	buf     []Entry // a power of two long
	first   uint64  // number of the oldest Entry
	n       int
	bytes   int
	stale   uint64   // entries before it have no packets
	begins  []uint64 // numbers of the entries that one may begin at
	passed  uint64   // of those, how many have left
	ended   error
	direct  []*Cursor // those that the feed writes for

	clock    anchor
	reported time.Time
}

// sums are what reports tell of a track.
type sums struct{ packets, bytes uint32 }

// anchor is an instant by the hub's clock and by the stream's.
type anchor struct {
	wall time.Time
	at   time.Duration
}

// New is the feed of src, read from r, which it closes when Run ends.
func New(src Source, r *media.Rendering, now func() time.Time) *Feed {
	f := &Feed{Source: src, rendering: r, now: now, ready: make(chan struct{}), buf: make([]Entry, 256)}
	f.more.L = &f.mu
	return f
}

// Run follows the stream until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	defer f.rendering.Close()
	for {
		units, err := f.rendering.Next(ctx)
		if err == nil {
			err = f.take(units)
		}
		if err != nil {
			f.end(err)
			return
		}
		f.push()
	}
}

// end tells the readers that nothing more comes.
func (f *Feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		return
	}
	f.ended = err
	if f.packers == nil {
		close(f.ready)
	}
	for _, c := range f.direct {
		c.woken.Signal()
	}
	f.more.Broadcast()
}

// take adds units of one generation and wakes who waits.
func (f *Feed) take(units []*av.Unit) error {
	tracks := f.rendering.Tracks()
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.packers == nil || units[0].Generation != f.epoch {
		if err := f.shape(tracks); err != nil {
			return err
		}
		f.epoch = units[0].Generation
	}
	for _, u := range units {
		f.pack(u, now)
	}
	if now.Sub(f.reported) >= reportEvery {
		f.reported = now
		for i := range f.packers {
			f.add(Entry{track: i, at: now, packets: 1, wire: f.report(nil, i)})
		}
	}
	f.trim(now)
	f.deal()
	f.more.Broadcast()
	return nil
}

// shape makes the packers for tracks; those of an earlier generation must have been alike.
func (f *Feed) shape(tracks []av.Track) error {
	if f.packers != nil {
		return f.reshape(tracks)
	}
	var packers []*wire.Packer
	for _, t := range tracks {
		if p, ok := wire.New(t, len(packers), rand.Uint32()); ok && len(packers) < maxTracks {
			packers = append(packers, p)
			f.video = f.video || t.Kind == av.Video
		}
	}
	if len(packers) == 0 {
		return errNoTracks{}
	}
	f.packers = packers
	f.sent = make([]sums, len(packers))
	for range packers {
		f.seqs = append(f.seqs, uint16(rand.Uint32()))
	}
	close(f.ready)
	return nil
}

// reshape takes the new parameter sets of the same tracks.
func (f *Feed) reshape(tracks []av.Track) error {
	next := make([]*wire.Packer, 0, len(f.packers))
	for _, t := range tracks {
		if _, ok := wire.New(t, 0, 0); !ok || len(next) == maxTracks {
			continue
		}
		i := len(next)
		if i == len(f.packers) || !alike(f.packers[i].Track(), t) {
			return errShape
		}
		next = append(next, f.packers[i].With(t))
	}
	if len(next) != len(f.packers) {
		return errShape
	}
	f.packers = next
	return nil
}

// alike reports whether a reader that was told of a can go on with b.
func alike(a, b av.Track) bool {
	return a.ID == b.ID && a.Codec == b.Codec && a.ClockRate == b.ClockRate && a.SampleRate == b.SampleRate && a.Channels == b.Channels &&
		string(a.AudioConfig) == string(b.AudioConfig)
}

// pack makes the packets of u.
func (f *Feed) pack(u *av.Unit, now time.Time) {
	for i, p := range f.packers {
		t := p.Track()
		if t.ID != u.Track {
			continue
		}
		e := Entry{unit: u, packer: p, track: i, seq: f.seqs[i], at: now}
		e.begin = !f.video || t.Kind == av.Video && (u.Key || t.Codec == av.MJPEG)
		e.wire, e.packets = p.Append(make([]byte, 0, p.Size(u)), u, e.seq)
		e.bytes = len(e.wire)
		f.seqs[i] += uint16(e.packets)
		f.sent[i].packets += uint32(e.packets)
		f.sent[i].bytes += uint32(len(u.Data))
		if e.packets > 0 {
			f.clock = anchor{wall: u.Wall, at: t.Duration(u.PTS)}
			if u.Wall.IsZero() {
				f.clock.wall = now
			}
			f.add(e)
		}
		return
	}
}

// report appends where the clock of track i is. All tracks tell it by the same anchor, so
// that they stay together whatever that is worth. The feed is locked.
func (f *Feed) report(dst []byte, i int) []byte {
	p := f.packers[i]
	return p.Report(dst, ntp(f.clock.wall), uint32(p.Track().Ticks(f.clock.at)), f.sent[i].packets, f.sent[i].bytes)
}

// ntp is t in the time stamps of RFC 3550: seconds since 1900 in 32.32 bits.
func ntp(t time.Time) uint64 {
	const epoch = 2208988800 // 1900 to 1970, in seconds
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// add puts e at the end. The feed is locked.
func (f *Feed) add(e Entry) {
	if f.n == len(f.buf) {
		f.grow()
	}
	if e.begin {
		f.begins = append(f.begins, f.endNo())
	}
	*f.at(f.endNo()) = e
	f.n++
	f.bytes += e.bytes
}

func (f *Feed) endNo() uint64       { return f.first + uint64(f.n) }
func (f *Feed) at(no uint64) *Entry { return &f.buf[no&uint64(len(f.buf)-1)] }
func (f *Feed) newest() (uint64, bool) {
	if len(f.begins) == 0 {
		return 0, false
	}
	return f.begins[len(f.begins)-1], true
}

func (f *Feed) grow() {
	old := f.buf
	f.buf = make([]Entry, 2*len(old))
	for no := f.first; no < f.endNo(); no++ {
		*f.at(no) = old[no&uint64(len(old)-1)]
	}
}

// over is when the GOP of the oldest entry was over: until then a reader may have begun in
// it, late in a long one. The newest GOP is not over; what nobody can begin in was at once.
func (f *Feed) over(now time.Time) time.Time {
	for _, b := range f.begins {
		if b > f.first {
			return f.at(b).at
		}
	}
	if len(f.begins) > 0 {
		return now
	}
	return f.at(f.first).at
}

// trim keeps the newest GOP and what a reader may be behind, within feedBytes, and the
// packets of what is new.
func (f *Feed) trim(now time.Time) {
	for f.stale = max(f.stale, f.first); f.stale < f.endNo() && now.Sub(f.at(f.stale).at) > packetsKept; f.stale++ {
		if e := f.at(f.stale); e.unit != nil {
			e.wire = nil
		}
	}
	for f.n > 0 && (f.bytes > feedBytes || now.Sub(f.over(now)) > behind) {
		e := f.at(f.first)
		f.bytes -= e.bytes
		*e = Entry{}
		if len(f.begins) > 0 && f.begins[0] == f.first {
			f.begins = f.begins[1:]
			f.passed++
		}
		f.first++
		f.n--
	}
}

// ordinal counts the beginnings before no, over the feed's whole life.
func (f *Feed) ordinal(no uint64) uint64 {
	n := f.passed
	for _, b := range f.begins {
		if b < no {
			n++
		}
	}
	return n
}

// errNoTracks: RTSP carries nothing of the stream.
type errNoTracks struct{}

func (errNoTracks) Error() string { return "restream: the stream has no track that RTSP carries" }
func (errNoTracks) Code() string  { return "E-RESTREAM-CODEC" }
func (errNoTracks) Hint() string {
	return "Ask for a conversion, as ?video=h264, or for another stream of the camera."
}

// Wait is until the tracks are known, or the feed has ended.
func (f *Feed) Wait(ctx context.Context) error {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		return fmt.Errorf("restream %s/%s: %w", f.Camera, f.Stream, f.ended)
	}
	return nil
}

// Usable tells whether a reader can begin to use it.
func (f *Feed) Usable() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended == nil
}

// Packers of the tracks, in their order. The slice does not change.
func (f *Feed) Packers() []*wire.Packer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.packers
}

// How the stream came about: media.Copy, or "converted: " and why.
func (f *Feed) How() string { return f.rendering.How() }

// Bytes are those of the packets of all units that it keeps.
func (f *Feed) Bytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}
