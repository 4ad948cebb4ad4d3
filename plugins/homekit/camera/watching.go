package camera

import (
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/choose"
)

// Watch is one viewer as people are told of it.
type Watch struct {
	Controller string
	Since      time.Time
	Stream     string // main, sub; empty: nothing is sent yet
	How        string // "copy", or "converted: " and why
	Codec      string
	Width      int
	Height     int
	FPS        float64
	Kbps       int
	Sound      bool
	Talking    bool
	Packets    uint64
	Lost       uint64
}

// Watching are those who watch now.
func (c *Camera) Watching() []Watch {
	var out []Watch
	for _, s := range c.streams {
		s.mu.Lock()
		v := s.view
		s.mu.Unlock()
		if v != nil {
			out = append(out, v.watch())
		}
	}
	return out
}

func (v *view) watch() Watch {
	st := v.session.Stats()
	v.mu.Lock()
	defer v.mu.Unlock()
	return Watch{
		Controller: v.peer.Controller(), Since: v.since, Stream: v.choice.Stream, How: v.how,
		Codec: string(v.picture.Codec), Width: v.picture.Width, Height: v.picture.Height, FPS: v.picture.FPS,
		Kbps: v.flow.kbps(v.cam.o.Now(), st.Since, st.Video.Bytes+st.Audio.Bytes), Sound: st.Audio.Packets > 0, Talking: st.Talking,
		Packets: st.Video.Packets + st.Audio.Packets, Lost: uint64(st.Video.Lost) + uint64(st.Audio.Lost),
	}
}

// flowTime is the least over which a bit rate is told, firstFlow that of a stream's first,
// which begins with a key frame.
const flowTime, firstFlow = 2 * time.Second, time.Second

// flow tells how much was sent lately from how much was sent.
type flow struct {
	at    time.Time
	bytes uint64
	last  int // kbit/s; 0: not known yet
}

func (f *flow) kbps(now, since time.Time, bytes uint64) int {
	if since.IsZero() {
		return 0
	}
	if f.at.IsZero() {
		f.at = since
	}
	if d := now.Sub(f.at); d >= flowTime || f.last == 0 && d >= firstFlow {
		f.last = int(float64(bytes-f.bytes) * 8 / 1000 / d.Seconds())
		f.at, f.bytes = now, bytes
	}
	return f.last
}

// Choice is why one viewer got what it got.
type Choice struct {
	At         time.Time
	Controller string
	Stream     string
	How        string   // as the hub said; empty: it was not opened
	Why        []string // each stream that was not taken as it is, and why
	Problem    string   // why nothing was opened
}

// keptChoices are told of a camera.
const keptChoices = 8

// choices are the last ones.
type choices struct {
	mu  sync.Mutex
	all []Choice
}

// add says whether it is another than the one before: a stream that ends is opened again.
func (c *choices) add(at time.Time, controller string, ch choose.Choice, how string, err error) bool {
	out := Choice{At: at, Controller: controller, Stream: ch.Stream, How: how, Why: slices.Clone(ch.Why)}
	if err != nil {
		out.Problem = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.all); n > 0 && c.all[n-1].same(out) {
		c.all[n-1] = out
		return false
	}
	c.all = append(c.all, out)
	if n := len(c.all) - keptChoices; n > 0 {
		c.all = slices.Delete(c.all, 0, n)
	}
	return true
}

func (c Choice) same(o Choice) bool {
	return c.Controller == o.Controller && c.Stream == o.Stream && c.How == o.How && c.Problem == o.Problem && slices.Equal(c.Why, o.Why)
}

// LastChoice are the last ones, the newest first: why a picture is converted.
func (c *Camera) LastChoice() []Choice {
	c.choices.mu.Lock()
	defer c.choices.mu.Unlock()
	out := slices.Clone(c.choices.all)
	slices.Reverse(out)
	return out
}
