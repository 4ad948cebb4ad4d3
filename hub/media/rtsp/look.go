package rtsp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Report of a look at a camera.
type Report struct {
	Progress
	Tracks  []av.Track
	Left    []string // what the description offers and the house does not carry
	Talk    []string // codecs of the back channel, if Options.Talk asked for it; Progress.Talk has those that are carried
	Repairs []string // of its description

	// What follows is known only if Options.Play was set.
	FirstKey    time.Duration // from the dial to the first key frame; 0: none came
	GOP         time.Duration // between the first two key frames; 0: only one came
	FPS         float64
	Bitrate     float64       // bit a second, all tracks
	Lost        uint64        // RTP packets
	ClockOffset time.Duration // the camera's clock less ours, by its sender reports
	ClockKnown  bool
}

// lookSpan is how long a look measures at least, where it may.
const lookSpan = 2 * time.Second

var errSeen = errors.New("enough was seen")

// Look connects, logs in and asks for the description; with o.Play it watches for as long,
// or until it has seen two key frames. What it has learned is in the Report also beside an
// error; a camera that sends no key frame in time is a *Fault.
func Look(ctx context.Context, t Target, o Options) (Report, error) {
	s, fault := newSession(t, o)
	if fault != nil {
		return Report{}, fault
	}
	w := &watcher{now: s.o.Now, began: s.o.Now()}
	s.play.sink, s.quiet = w, o.Play <= 0
	looking, cancel := ctx, context.CancelFunc(func() {})
	if !s.quiet {
		looking, cancel = context.WithTimeout(ctx, o.Play+s.o.ReadTimeout)
		w.until = w.began.Add(o.Play + s.o.ReadTimeout)
	}
	defer cancel()
	err := s.run(looking)
	r := s.report(w)
	switch {
	case errors.Is(err, errSeen), err != nil && ctx.Err() == nil && looking.Err() != nil && r.FirstKey > 0:
		err = nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case looking.Err() != nil:
		err = s.fault(NoMedia, "play", "no key frame within "+o.Play.String(), nil)
	}
	return r, err
}

// report puts together what a look has learned.
func (s *session) report(w *watcher) Report {
	r := Report{Progress: s.progress(), Tracks: w.tracks}
	if s.desc != nil {
		r.Left, r.Repairs = slices.Clone(s.desc.Left), s.desc.Repairs
		for _, m := range s.desc.Medias {
			for _, f := range m.Formats {
				if m.Talk {
					r.Talk = append(r.Talk, f.Name)
				}
			}
		}
	}
	s.play.mu.Lock()
	defer s.play.mu.Unlock()
	for _, st := range s.play.streams {
		if t, known := st.reader.Track(); known && !w.begun {
			r.Tracks = append(r.Tracks, t)
		}
		r.Lost += st.reader.Notes().Lost
		if st.report.NTP>>32 != 0 && !r.ClockKnown {
			r.ClockOffset, r.ClockKnown = st.report.Wall.Sub(st.reported), true
		}
	}
	w.measure(&r)
	return r
}

// watcher is the sink of a look. It is read after the pull has ended.
type watcher struct {
	now          func() time.Time
	began, until time.Time
	begun        bool
	tracks       []av.Track
	video        uint8     // track id; 0: there is none
	first, last  time.Time // of units
	bytes        int
	pictures     int
	firstPTS     int64
	lastPTS      int64
	keys         []time.Time
}

func (w *watcher) Begin(tracks []av.Track) error {
	w.begun, w.tracks = true, slices.Clone(tracks)
	for _, t := range tracks {
		if t.Kind == av.Video {
			w.video = t.ID
		}
	}
	return nil
}

func (w *watcher) SetTrack(t av.Track) error {
	w.tracks = slices.DeleteFunc(w.tracks, func(o av.Track) bool { return o.ID == t.ID })
	w.tracks = append(w.tracks, t)
	return nil
}

func (w *watcher) Put(u *av.Unit) error {
	now := w.now()
	if w.first.IsZero() {
		w.first = now
	}
	w.last = now
	w.bytes += len(u.Data)
	if u.Track == w.video {
		if w.pictures++; w.pictures == 1 {
			w.firstPTS = u.DTS
		}
		w.lastPTS = u.DTS
		if u.Key && len(w.keys) < 2 {
			w.keys = append(w.keys, now)
		}
	}
	if enough := len(w.keys) == 2 || w.video == 0; enough && now.Sub(w.first) >= lookSpan {
		return errSeen
	}
	return nil
}

func (w *watcher) measure(r *Report) {
	if len(w.keys) > 0 {
		r.FirstKey = w.keys[0].Sub(w.began)
	}
	if len(w.keys) > 1 {
		r.GOP = w.keys[1].Sub(w.keys[0])
	}
	if span := w.last.Sub(w.first).Seconds(); span > 0 {
		r.Bitrate = float64(w.bytes) * 8 / span
	}
	if span := av.Duration(w.lastPTS-w.firstPTS, av.ClockVideo).Seconds(); span > 0 && w.pictures > 1 {
		r.FPS = float64(w.pictures-1) / span
	}
}
