package film

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// keyInterval when nothing else is asked: who comes late to a form that was not there
	// before waits half of it.
	keyInterval = 2 * time.Second
	// block of pixels by which levels count (H.264 table A-1).
	macroblock = 16 * 16
	// fewest frames a second that a level may force.
	fewest = 1
)

// plan is what is asked of the encoder.
type plan struct {
	width, height int // 0: as it comes, within the bounds
	want          av.VideoRendition
	fps           float64 // at most; 0: as they come
	kbps          int     // at most
	key           time.Duration
}

// planOf fits what is asked to what comes.
func planOf(from av.Track, want av.VideoRendition) (plan, error) {
	if want.Codec != "" && want.Codec != av.H264 {
		return plan{}, fmt.Errorf("%w to %s", ErrUnsupported, want.Codec)
	}
	switch want.Profile {
	case "", "baseline", "main", "high":
	default:
		return plan{}, fmt.Errorf("%w to profile %q", ErrUnsupported, want.Profile)
	}
	p := plan{want: want, fps: want.MaxFPS, key: want.KeyInterval}
	if p.key <= 0 {
		p.key = keyInterval
	}
	p.key = min(max(p.key, 100*time.Millisecond), time.Minute)
	if from.Width > maxPixels || from.Height > maxPixels || from.Width*from.Height > maxPixels {
		return plan{}, fmt.Errorf("%w: %dx%d", ErrUnsupported, from.Width, from.Height)
	}
	if from.Width > 0 && from.Height > 0 {
		p.fit(from)
	}
	p.rate()
	return p, nil
}

// fit sets the size, in its proportions and even, and what a level allows at it.
func (p *plan) fit(from av.Track) {
	w, h := float64(from.Width), float64(from.Height)
	shrink := 1.0
	if m := p.want.MaxWidth; m > 0 {
		shrink = min(shrink, float64(m)/w)
	}
	if m := p.want.MaxHeight; m > 0 {
		shrink = min(shrink, float64(m)/h)
	}
	size, rate := media.LevelLimits(p.want.Level)
	if p.want.Level > 0 {
		// Sixteen blocks of room, since a row that is begun counts whole.
		shrink = min(shrink, math.Sqrt(float64((size-16)*macroblock)/(w*h)))
	}
	p.width, p.height = even(w*shrink), even(h*shrink)
	if p.want.Level == 0 {
		return
	}
	blocks := ((p.width + 15) / 16) * ((p.height + 15) / 16)
	if most := max(fewest, float64(rate/max(blocks, 1))); p.fps == 0 && (from.FPS == 0 || from.FPS > most) || p.fps > most {
		p.fps = most
	}
}

func even(n float64) int { return max(2, int(n)&^1) }

// rate sets the bits a second. Without a wish the encoder keeps a quality, up to what a
// picture of that size takes when all of it moves.
func (p *plan) rate() {
	p.kbps = p.want.MaxKbps
	if p.kbps == 0 {
		pixels := p.width * p.height
		if pixels == 0 {
			pixels = 1920 * 1080
		}
		p.kbps = max(600, pixels/400) // 5,200 for 1080p
	}
	p.kbps = max(p.kbps, 32)
}

// track as it will be, as far as that is known.
func (p plan) track(from av.Track) av.Track {
	t := av.Track{ID: from.ID, Kind: av.Video, Codec: av.H264, ClockRate: from.ClockRate, Width: p.width, Height: p.height, FPS: from.FPS}
	if p.fps > 0 && (t.FPS == 0 || t.FPS > p.fps) {
		t.FPS = p.fps
	}
	return t
}

// Made is the track that a pipe would make, without parameter sets.
func Made(from av.Track, want av.VideoRendition) (av.Track, error) {
	p, err := planOf(from, want)
	if err != nil {
		return av.Track{}, err
	}
	if _, _, err := codecOf(from); err != nil {
		return av.Track{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return p.track(from), nil
}

func (p plan) arguments(o Options) []string {
	passthrough := []string{"-fps_mode", "passthrough"}
	if o.Old {
		passthrough = []string{"-vsync", "0"}
	}
	var decode []string
	if !o.From.Reordered {
		decode = []string{"-flags", "low_delay"} // each picture comes out when it went in
	}
	coding := []string{"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-bf", "0", "-g", "100000", "-sc_threshold", "0",
		"-force_key_frames", fmt.Sprintf("expr:if(isnan(prev_forced_t),1,gte(t-prev_forced_t,%.3f))", p.key.Seconds()-0.005),
		"-crf", "23", "-maxrate", fmt.Sprintf("%dk", p.kbps), "-bufsize", fmt.Sprintf("%dk", p.kbps), "-threads", fmt.Sprint(max(1, o.Threads))}
	if p.want.Profile != "" {
		coding = append(coding, "-profile:v", p.want.Profile)
	}
	if p.want.Level > 0 {
		coding = append(coding, "-level:v", fmt.Sprintf("%d.%d", p.want.Level/10, p.want.Level%10))
	}
	return slices.Concat([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe",
		"-max_alloc", "268435456", "-max_pixels", fmt.Sprint(maxPixels), "-probesize", "32", "-analyzeduration", "0", "-copyts", "-threads", "1"}, decode,
		[]string{"-f", "matroska", "-i", "pipe:0", "-map", "0:v:0", "-vf", p.filters()}, passthrough,
		[]string{"-enc_time_base", "1:90000"}, coding,
		[]string{"-flvflags", "no_duration_filesize", "-flush_packets", "1", "-f", "flv", "pipe:1"})
}

// filters leave out pictures before they make them smaller. None is made twice: one may
// be an hour behind the last.
func (p plan) filters() string {
	f := ""
	if p.fps > 0 {
		f = fmt.Sprintf(`select='isnan(prev_t)+gt(floor(t*%[1]g),floor(prev_t*%[1]g))',`, p.fps)
	}
	switch {
	case p.width > 0:
		f += fmt.Sprintf("scale=%d:%d", p.width, p.height)
	default:
		w, h := "iw", "ih"
		if p.want.MaxWidth > 0 {
			w = fmt.Sprintf("min(iw,%d)", p.want.MaxWidth)
		}
		if p.want.MaxHeight > 0 {
			h = fmt.Sprintf("min(ih,%d)", p.want.MaxHeight)
		}
		f += fmt.Sprintf("scale='%s':'%s':force_original_aspect_ratio=decrease:force_divisible_by=2", w, h)
	}
	return f + ":out_range=tv,format=yuv420p"
}
