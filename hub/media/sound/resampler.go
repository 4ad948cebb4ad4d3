package sound

import "math"

const (
	// crossings of zero of the sinc on either side, at the lower of the two rates.
	crossings = 24
	// beta of the Kaiser window: 80 dB of what must not pass.
	beta = 8.0
	// passed is the part of the lower rate's band that is kept; the rest is the filter's slope.
	passed = 0.90
	// maxPhases of the filter. All usual rates need fewer; of odd ones the nearest is taken.
	maxPhases = 1024
)

// resampler changes the rate of one channel by a windowed sinc in phases. The filter is
// centred: what comes out is not late on the line of time, it only waits for what follows.
type resampler struct {
	up, down int // the rates without their common divisor
	half     int // taps on either side
	phases   [][]float32
	past     []float32 // samples not done with; past[0] is the first tap of the next output
	frac     int       // where the next output lies behind past[half-1], in 1/up of a sample
	out      []int16
}

// newResampler makes nil when there is nothing to do.
func newResampler(from, to int) *resampler {
	if from == to {
		return nil
	}
	d := gcd(from, to)
	r := &resampler{up: to / d, down: from / d}
	cut := min(1, float64(to)/float64(from))
	r.half = int(math.Ceil(crossings / cut))
	r.phases = make([][]float32, min(r.up, maxPhases))
	for p := range r.phases {
		r.phases[p] = phase(float64(p)/float64(len(r.phases)), r.half, cut*passed)
	}
	r.reset()
	return r
}

// phase is the taps for an output that lies at past the sample in the middle.
func phase(at float64, half int, cut float64) []float32 {
	taps := make([]float64, 2*half)
	var sum float64
	for i := range taps {
		x := float64(i-half+1) - at
		w := x / float64(half)
		if math.Abs(w) >= 1 {
			continue
		}
		v := cut * bessel(beta*math.Sqrt(1-w*w))
		if x != 0 {
			v *= math.Sin(math.Pi*cut*x) / (math.Pi * cut * x)
		}
		taps[i] = v
		sum += v
	}
	out := make([]float32, len(taps))
	for i, v := range taps {
		out[i] = float32(v / sum)
	}
	return out
}

// bessel is the modified Bessel function of the first kind and order 0, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// reset forgets what came before: silence.
func (r *resampler) reset() {
	r.past = append(r.past[:0], make([]float32, r.half-1)...)
	r.frac = 0
}

// run returns what in makes, good until the next call.
func (r *resampler) run(in []int16) []int16 {
	for _, s := range in {
		r.past = append(r.past, float32(s))
	}
	r.out = r.out[:0]
	at := 0
	for at+2*r.half <= len(r.past) {
		taps := r.phases[r.frac*len(r.phases)/r.up]
		window := r.past[at : at+len(taps)]
		var sum float32
		for i, t := range taps {
			sum += t * window[i]
		}
		r.out = append(r.out, clip(sum))
		r.frac += r.down
		at += r.frac / r.up
		r.frac %= r.up
	}
	r.past = r.past[:copy(r.past, r.past[at:])]
	return r.out
}

func clip(v float32) int16 {
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}
