package units

import "github.com/porchlight-hub/porchlight/sdk/av"

// extractor tells when a picture is decoded from when it is shown (mediacommon).
type extractor interface {
	Extract(au [][]byte, pts int64) (int64, error)
}

const (
	// guessDelay is by how many pictures decoding is taken to run ahead of showing where
	// the pictures do not say.
	guessDelay = 2
	// orderJump is a step of time, in ticks of 90 kHz, after which nothing before it counts.
	orderJump = 5 * av.ClockVideo
)

// order gives pictures their time of decoding.
type order struct {
	new     func() extractor
	none    bool // pictures are shown as they are sent
	x       extractor
	astray  bool // x has lost its way; it gets another chance at a key frame
	recent  []int64
	lastPTS int64
	lastDTS int64
	begun   bool
	guessed uint64
}

// place returns when the picture is shown and decoded; decoding goes only forward, but for
// a jump of the camera's own time, which whoever keeps time has to see.
func (o *order) place(sets [3][]byte, data []byte, pts int64, key bool) (shown, dts int64) {
	if d := pts - o.lastPTS; o.begun && (d > orderJump || d < -orderJump) {
		o.x, o.recent, o.begun, o.astray = nil, o.recent[:0], false, false
	}
	if o.none {
		o.begun, o.lastPTS, o.lastDTS = true, pts, pts
		return pts, pts
	}
	if o.x == nil || key && o.astray {
		o.x, o.astray = o.new(), false
	}
	if o.recent = append(o.recent, pts); len(o.recent) > guessDelay+1 {
		o.recent = append(o.recent[:0], o.recent[1:]...)
	}
	if !o.astray {
		var err error
		if dts, err = o.x.Extract(nalsOf(sets, data), pts); err != nil {
			o.astray = true
		}
	}
	if o.astray {
		o.guessed++
		dts = o.recent[0]
		for _, p := range o.recent[1:] {
			dts = min(dts, p)
		}
	}
	if o.begun && dts <= o.lastDTS {
		dts = o.lastDTS + 1
	}
	pts = max(pts, dts)
	o.begun, o.lastPTS, o.lastDTS = true, pts, dts
	return pts, dts
}

// nalsOf lists the parameter sets and the NAL units of a picture.
func nalsOf(sets [3][]byte, data []byte) [][]byte {
	out := make([][]byte, 0, 8)
	for _, s := range sets {
		if len(s) > 0 {
			out = append(out, s)
		}
	}
	u := av.Unit{Data: data}
	u.NALs(func(nal []byte) bool {
		out = append(out, nal)
		return true
	})
	return out
}
