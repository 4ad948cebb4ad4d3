package sound

import "math"

// silent is the loudness under which a partial is not computed on: -80 dB.
const silent = 1e-4

// Render makes one channel of samples at a rate, its loudest sample at Peak.
func (s Sound) Render(rate int) []float32 {
	mix, scale := s.mix(rate)
	out := make([]float32, len(mix))
	fade := int(Fade * float64(rate))
	for i, v := range mix {
		if left := len(mix) - i; left < fade {
			v *= float64(left) / float64(fade)
		}
		out[i] = float32(v * scale)
	}
	return out
}

// Scale is what the sum of all notes is multiplied with so that its loudest sample is Peak.
func (s Sound) Scale() float64 {
	_, scale := s.mix(48000)
	return scale
}

func (s Sound) mix(rate int) ([]float64, float64) {
	mix := make([]float64, int(s.Length*float64(rate)))
	for _, n := range s.Notes {
		for _, p := range n.Voice.Partials {
			n.partial(p, mix, rate)
		}
	}
	loudest := 0.0
	for _, v := range mix {
		loudest = max(loudest, math.Abs(v))
	}
	if loudest == 0 {
		return mix, 0
	}
	return mix, Peak / loudest
}

func (n Note) partial(p Partial, mix []float64, rate int) {
	from := int(n.At * float64(rate))
	if hi := max(n.Hz, n.To) * p.Ratio; hi > float64(rate)/2 {
		return // it would fold back into the audible
	}
	phase, step := 0.0, 1/float64(rate)
	for i := from; i < len(mix); i++ {
		t := float64(i-from) * step
		env := n.Gain * p.Gain * math.Exp(-t/p.Decay)
		if env < silent && t > n.Voice.Attack {
			return
		}
		env *= min(1, t/n.Voice.Attack)
		hz := n.Hz
		if n.To != 0 {
			hz += (n.To - n.Hz) * min(1, t/n.Glide)
		}
		mix[i] += env * math.Sin(2*math.Pi*phase)
		phase += hz * p.Ratio * step
		phase -= math.Floor(phase)
	}
}
