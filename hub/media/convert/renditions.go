package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// trackWait is how long who asks for a rendition waits for a stream to begin.
	trackWait = 3 * time.Second
	// maxVoices are conversions of sound alone at a time: those of a large house in two
	// codecs. Each has a ring, and where AAC is one side an ffmpeg.
	maxVoices = 64
	// lingerTime: a conversion that nobody reads goes on for so long, since who changes a
	// view comes back.
	lingerTime = 10 * time.Second
	// voiceLag: the newest sound is in a packet that is not full yet. filmLag: the newest
	// pictures may be left out of a film that has fewer.
	voiceLag = 50 * time.Millisecond
	filmLag  = 300 * time.Millisecond
	// readyWait is how long who opens a rendition waits for the ring's past to be through.
	// With trackWait it is less than what a plugin waits for an answer (av.HelloTimeout).
	readyWait = 1500 * time.Millisecond
)

// RenditionOptions of renditions.
type RenditionOptions struct {
	Core   *media.Core
	FFmpeg string // path; empty: looked for in PATH, each time one is started
	Films  int    // conversions of pictures at a time; 0: half the cores, at least one
	// Threads of each of them; 0: half the cores, at least one, at most four.
	Threads int
	Log     *slog.Logger // nil: nothing is logged
	Now     func() time.Time
}

// Renditions are streams in the forms that readers ask for: as they are where that
// fits, else converted, once a form however many take it.
type Renditions struct {
	opts   RenditionOptions
	log    *slog.Logger
	ctx    context.Context // ends with Close; conversions hang on it, readers come and go
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex
	runs map[key]*conversion
}

// NewRenditions converts nothing yet.
func NewRenditions(o RenditionOptions) *Renditions {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Films == 0 {
		o.Films = max(1, runtime.NumCPU()/2)
	}
	if o.Threads == 0 {
		o.Threads = min(max(1, runtime.NumCPU()/2), 4)
	}
	r := &Renditions{opts: o, log: o.Log.With("part", "convert"), runs: make(map[key]*conversion)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Open begins to read a stream in the form want. It waits a moment for a stream of which
// nothing is known yet, if that matters. Of o.Want it heeds what is not wanted.
//
// A conversion of sound that takes no ffmpeg begins with all that the ring holds; one
// that does begins there if its first reader starts seconds back, and else at the newest
// key frame, where the picture comes at once and the sound as soon as there is some.
func (r *Renditions) Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error) {
	src := r.opts.Core.Stream(camera, stream)
	wctx, cancel := context.WithTimeout(ctx, trackWait)
	w, _, err := src.AwaitFit(wctx, want)
	cancel()
	d := differ(src, src.Tracks(), want)
	if err != nil {
		return nil, fmt.Errorf("camera %s %s: %w", camera, stream, err)
	}
	if !d.Any() {
		o.Want = join(o.Want, w)
		return media.NewRendering(src.Open(o), want, media.Copy, nil), nil
	}
	done := src.Ask("reader") // it reads another ring, and wants this one
	c, err := r.join(src, want, d, o.Start)
	if err == nil {
		if err = c.await(ctx); err != nil {
			r.leave(c)
		}
	}
	if err != nil {
		done()
		return nil, fmt.Errorf("camera %s %s: %s: %w", camera, stream, d, err)
	}
	o.Want = media.Want{NoVideo: o.Want.NoVideo || want.Video.None, NoAudio: o.Want.NoAudio || want.Audio.None}
	return media.NewRendering(c.out.Open(o), check(want, d), how(d), func() {
		done()
		r.leave(c)
	}), nil
}

// Hold keeps d of a rendition, at most as long as the ring may, until release is called.
// It returns what will be kept. The conversion runs for it as it does for a reader.
func (r *Renditions) Hold(ctx context.Context, camera, stream string, want av.Rendition, d time.Duration) (kept time.Duration, release func(), err error) {
	held, err := r.Open(ctx, camera, stream, want, media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: d}, Quiet: true})
	if err != nil {
		return 0, nil, err
	}
	ring := held.Stream()
	kept, free := ring.Source().Hold(d)
	freeToo := func() {}
	if ring.Source() != ring {
		_, freeToo = ring.Hold(d)
	}
	held.Reader.Close() // it holds and does not read
	return kept, sync.OnceFunc(func() {
		free()
		freeToo()
		held.Close()
	}), nil
}

// Describe tells what Open would give, without waking anything.
func (r *Renditions) Describe(camera, stream string, want av.Rendition) (media.Preview, error) {
	src := r.opts.Core.Stream(camera, stream)
	tracks := src.Tracks()
	w, _, err := media.Compare(tracks, want)
	switch {
	case errors.Is(err, media.ErrNoTracks):
		return media.Preview{How: media.Copy}, nil
	case err != nil:
		return media.Preview{}, err
	}
	d := differ(src, tracks, want)
	p := media.Preview{How: media.Copy, Prebuffer: src.Reaches()}
	if d.Any() {
		if p.Tracks, p.Prebuffer, err = r.preview(src, want, d); err != nil {
			return media.Preview{}, fmt.Errorf("camera %s %s: %s: %w", camera, stream, d, err)
		}
		p.How = how(d)
		return p, nil
	}
	p.Tracks = w.Of(tracks)
	return p, nil
}

// preview is what a conversion would give, or gives.
func (r *Renditions) preview(src *media.Stream, want av.Rendition, d media.Difference) ([]av.Track, time.Duration, error) {
	ffmpeg, err := r.able(src, want, d)
	if err != nil {
		return nil, 0, err
	}
	r.mu.Lock()
	c := r.runs[keyOf(src, want, d)]
	r.mu.Unlock()
	if c != nil {
		return c.out.Tracks(), c.out.Reaches(), nil
	}
	p, err := partsOf(src.Tracks(), want, d, r.maker())
	if err != nil {
		return nil, 0, err
	}
	p.end()
	back := src.Reaches()
	if ffmpeg && d.Video != "" {
		back = 0 // it takes as long as it reaches back, at first
	}
	return p.tracks, back, nil
}

// able is whether a conversion can be begun, as far as that shows, and takes ffmpeg.
func (r *Renditions) able(src *media.Stream, want av.Rendition, d media.Difference) (ffmpeg bool, err error) {
	p, err := partsOf(src.Tracks(), want, d, r.maker())
	if err != nil {
		return false, err
	}
	defer p.end()
	if ffmpeg = len(p.lines()) > 0; ffmpeg {
		_, err = r.path()
	}
	return ffmpeg, err
}

// from is where in the source a conversion begins: all that is there costs little in Go,
// and is seconds of work for an ffmpeg, which begins where its first reader does.
func from(start av.Start, d media.Difference, ffmpeg bool) av.Start {
	switch {
	case !ffmpeg, d.Video == "" && start.From == av.FromSecondsBack:
		return av.Start{From: av.FromSecondsBack, Back: 2 * media.MaxHold}
	case start.From == av.FromSecondsBack:
		return start
	}
	return av.Start{From: av.FromKeyFrame}
}

// maker of parts that are looked at and not run.
func (r *Renditions) maker() maker {
	return maker{path: r.path, now: r.opts.Now, log: r.log}
}

// path of ffmpeg.
func (r *Renditions) path() (string, error) {
	p, err := exec.LookPath(cmp.Or(r.opts.FFmpeg, "ffmpeg"))
	if err != nil {
		return "", fault.NoFFmpeg(err)
	}
	return p, nil
}

// join takes part in a conversion, which is begun if there is none.
func (r *Renditions) join(src *media.Stream, want av.Rendition, d media.Difference, start av.Start) (*conversion, error) {
	k := keyOf(src, want, d)
	if c := r.running(k); c != nil {
		return c, nil
	}
	ffmpeg, err := r.able(src, want, d)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return nil, errUnused
	}
	c := r.runs[k]
	if c == nil {
		if err := r.room(d); err != nil {
			return nil, err
		}
		c = r.begin(src, k, d, start, ffmpeg)
	}
	c.use()
	return c, nil
}

// running is the conversion of k, if there is one, with one more who uses it.
func (r *Renditions) running(k key) *conversion {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.runs[k]
	if c != nil {
		c.use()
	}
	return c
}

// use counts one more; Renditions is locked.
func (c *conversion) use() {
	c.users++
	if c.linger != nil {
		c.linger.Stop()
		c.linger = nil
	}
}

// room is nil if one more may be begun. One that lingers gives way. r is locked.
func (r *Renditions) room(d media.Difference) error {
	film, most, many := d.Video != "", maxVoices, fault.ManyVoices
	if film {
		most, many = r.opts.Films, fault.ManyFilms
	}
	n := 0
	var idle *conversion
	for _, c := range r.runs {
		if c.film == film {
			n++
			if c.users == 0 {
				idle = c
			}
		}
	}
	if n < most {
		return nil
	}
	if idle == nil {
		return many(n)
	}
	r.drop(idle)
	return nil
}

// begin starts a conversion; r is locked.
func (r *Renditions) begin(src *media.Stream, k key, d media.Difference, start av.Start, ffmpeg bool) *conversion {
	lag := voiceLag
	if d.Video != "" {
		lag = filmLag
	}
	c := &conversion{key: k, how: how(d), src: src, out: src.Derive(lag), path: r.path, now: r.opts.Now, film: d.Video != "", threads: r.opts.Threads,
		log:   r.log.With("camera", k.camera, "stream", k.stream, "how", d.String()),
		ready: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(r.ctx)
	c.cancel = cancel
	r.runs[k] = c
	start = from(start, d, ffmpeg)
	r.work.Go(func() {
		c.run(ctx, start)
		cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drop(c)
	})
	return c
}

// leave is the end of one that took part.
func (r *Renditions) leave(c *conversion) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.users--; c.users > 0 || r.runs[c.key] != c {
		return
	}
	c.linger = time.AfterFunc(lingerTime, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.users == 0 {
			r.drop(c)
		}
	})
}

// drop ends c; r is locked.
func (r *Renditions) drop(c *conversion) {
	c.cancel()
	if r.runs[c.key] == c {
		delete(r.runs, c.key)
	}
}

// RenditionStats of one conversion that runs.
type RenditionStats struct {
	Camera, Stream string
	How            string
	Readers        int
	Since          time.Duration // how far back a reader can begin
	PIDs           []int         // of the ffmpegs that run for it
	Trouble        error         // why something of it does not come now
}

// Stats of what is converted now.
func (r *Renditions) Stats() []RenditionStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []RenditionStats
	for _, c := range r.runs {
		st := RenditionStats{Camera: c.key.camera, Stream: c.key.stream, How: c.how, Readers: c.users, Since: c.out.Reaches()}
		for _, l := range c.lines() {
			if pid := l.pid(); pid != 0 {
				st.PIDs = append(st.PIDs, pid)
			} else if _, _, why := l.trouble(); why != nil {
				st.Trouble = why
			}
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b RenditionStats) int {
		return cmp.Or(cmp.Compare(a.Camera, b.Camera), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.How, b.How))
	})
	return out
}

// Close ends all conversions; their readers are told.
func (r *Renditions) Close() {
	r.mu.Lock()
	r.cancel()
	for _, c := range r.runs {
		if c.linger != nil {
			c.linger.Stop()
		}
	}
	r.mu.Unlock()
	r.work.Wait()
}

// differ is what of a stream must be converted. Beside what its tracks say of themselves
// that is how many bits it has.
func differ(src *media.Stream, tracks []av.Track, want av.Rendition) media.Difference {
	_, d, err := media.Compare(tracks, want)
	if most := want.Video.MaxKbps; err == nil && d.Video == "" && most > 0 && !want.Video.None {
		if kbps := int(src.Stats().Bitrate / 1000); kbps > most*5/4 { // a quarter: the encoders' own swing
			d.Video = fmt.Sprintf("the picture has %d kbit/s and at most %d were asked", kbps, most)
		}
	}
	return d
}

// how is what a reader is told.
func how(d media.Difference) string { return "converted: " + d.String() }

// join is what both want.
func join(a, b media.Want) media.Want {
	return media.Want{NoVideo: a.NoVideo || b.NoVideo, NoAudio: a.NoAudio || b.NoAudio, Audio: cmp.Or(b.Audio, a.Audio)}
}

// keyOf is what of want matters for what is converted, so that who wants the same of that
// shares it.
func keyOf(src *media.Stream, want av.Rendition, d media.Difference) key {
	k := key{camera: src.Camera(), stream: src.Name(), want: want}
	v, a := &k.want.Video, &k.want.Audio
	switch {
	case v.None:
		*v = av.VideoRendition{None: true}
	case d.Video == "":
		*v = av.VideoRendition{}
	}
	switch {
	case a.None:
		*a = av.AudioRendition{None: true}
	case d.Audio == "":
		*a = av.AudioRendition{Codec: a.Codec}
	default:
		a.Channels = 0 // what is made has one
		if a.Codec == av.Opus {
			a.SampleRate = 0
		}
		if a.Codec != av.Opus && a.Codec != av.AAC {
			a.Kbps = 0
		}
	}
	return k
}

// check is what of want must hold of the units, where a copy of the source's.
func check(want av.Rendition, d media.Difference) av.Rendition {
	if d.Video != "" {
		want.Video = av.VideoRendition{None: want.Video.None}
	}
	if d.Audio != "" {
		want.Audio = av.AudioRendition{None: want.Audio.None}
	}
	return want
}
