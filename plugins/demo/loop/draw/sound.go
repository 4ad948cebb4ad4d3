//go:build loop

package main

import (
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
)

// rate of the sound as it is made; AAC gets a resampled copy.
const rate = 48000

// track is one turn of the sound. What rings over its end goes on at its
// beginning, so that the loop has no seam.
type track []float64

func (s track) add(at float64, sound []float64, gain float64) {
	i := int(at * rate)
	for k, v := range sound {
		s[((i+k)%len(s)+len(s))%len(s)] += v * gain
	}
}

// writeSound writes the loop three times: an encoder starts from nothing, so only
// the middle turn has a past and a future. pack cuts that one out.
func writeSound(w io.Writer) error {
	s := soundtrack()
	buf := make([]byte, 0, len(s)*6)
	for range 3 {
		for _, v := range s {
			buf = binary.LittleEndian.AppendUint16(buf, uint16(int16(math.Round(math.Tanh(v)*32000))))
		}
	}
	_, err := w.Write(buf)
	return err
}

func soundtrack() track {
	s := make(track, seconds*rate)
	r := rand.New(rand.NewPCG(2, 3))
	wind(s, r)
	// Three crickets, each with its own pitch, distance and pulse.
	cricket(s, r, 4350, 0.60, 0.034)
	cricket(s, r, 4710, 0.80, 0.020)
	cricket(s, r, 3980, 1.00, 0.013)
	for _, at := range []float64{1.1, 1.55} {
		s.add(at, owl(), 0.030)
	}
	steps := footfalls()
	for _, f := range steps {
		s.add(f.at, footstep(r, f.wood), f.gain)
	}
	s.add(pressing, click(r), 0.10)
	s.add(putDown-0.02, thud(r), 0.34)
	s.add(putDown+0.05, rustle(r, 0.22), 0.05)
	s.add(opening-0.12, latch(r), 0.09)
	s.add(opening, creak(r, 0.62, 1), 0.045)
	s.add(taken, rustle(r, 0.3), 0.05)
	s.add(closing, creak(r, 0.55, 0.9), 0.03)
	s.add(closed-0.04, thud(r), 0.20)
	s.add(closed+0.02, latch(r), 0.09)
	return s
}

// wind is noise through two gentle filters, run round the loop twice so that it
// ends as it begins; a slow swell that fits the loop moves it.
func wind(s track, r *rand.Rand) {
	n := make([]float64, len(s))
	for i := range n {
		n[i] = r.Float64()*2 - 1
	}
	var low, low2, high float64
	for turn := range 2 {
		for i := range n {
			low += (n[i] - low) * 0.030
			low2 += (low - low2) * 0.05
			high += (low2 - high) * 0.004
			if turn == 1 {
				u := float64(i) / float64(len(s))
				swell := 0.75 + 0.18*math.Sin(2*math.Pi*u*2+1) + 0.10*math.Sin(2*math.Pi*u*5)
				s[i] += (low2 - high) * 0.34 * swell
			}
		}
	}
}

// cricket chirps: four short pulses, then a rest. every divides the loop.
func cricket(s track, r *rand.Rand, hz, every, gain float64) {
	for at := every * 0.3; at < seconds; at += every {
		shift := (r.Float64() - 0.5) * 0.05
		loud := gain * (0.75 + 0.5*r.Float64())
		for pulse := range 4 {
			const long = 0.019
			p := make([]float64, int(long*rate))
			for i := range p {
				t := float64(i) / rate
				env := math.Pow(math.Sin(math.Pi*t/long), 1.4)
				p[i] = env * (math.Sin(2*math.Pi*hz*t) + 0.15*math.Sin(4*math.Pi*hz*t))
			}
			s.add(at+shift+float64(pulse)*0.031, p, loud*(0.6+0.13*float64(pulse)))
		}
	}
}

func owl() []float64 {
	const long = 0.34
	p := make([]float64, int(long*rate))
	ph := 0.0
	for i := range p {
		t := float64(i) / rate
		ph += 2 * math.Pi * (352 - 26*t/long) / rate
		p[i] = math.Pow(math.Sin(math.Pi*t/long), 1.5) * (math.Sin(ph) + 0.12*math.Sin(2*ph))
	}
	return p
}

type footfall struct {
	at, gain float64
	wood     bool
}

// footfalls are the moments at which the drawn feet come down: twice a stride, at
// the start of each stance.
func footfalls() []footfall {
	var out []footfall
	last := -1.0
	for i := range seconds * 1000 {
		t := float64(i) / 1000
		if t < walkIn || t > gone || (t > stooping && t < leaving) {
			continue
		}
		var x, travel float64
		if t < toMat {
			x = lerp(startX, bellStand, ease((t-walkIn)/(atBell-walkIn)))
			travel = x - startX
		} else if t < turning {
			x = lerp(bellStand, matStand, smooth((t-toMat)/(stooping-toMat)))
			travel = x - startX
		} else {
			x = lerp(matStand, startX, easeOut((t-leaving)/(gone-leaving)))
			travel = matStand - x + stride*0.1
		}
		n := math.Floor(travel / (stride / 2))
		if n != last && last >= 0 && n > 0 {
			near := 0.25 + 0.75*clamp01((x+60)/600) // louder near the door
			out = append(out, footfall{t, 0.26 * near, x > 346})
		}
		last = n
	}
	return out
}

// footstep: on wood a hollow knock, on stone a dull scuff.
func footstep(r *rand.Rand, wood bool) []float64 {
	p := make([]float64, int(0.22*rate))
	var low float64
	f1, f2 := 118+12*r.Float64(), 236+20*r.Float64()
	for i := range p {
		t := float64(i) / rate
		n := r.Float64()*2 - 1
		low += (n - low) * 0.12
		if wood {
			p[i] = 0.8*math.Sin(2*math.Pi*f1*t)*math.Exp(-t/0.035) + 0.35*math.Sin(2*math.Pi*f2*t)*math.Exp(-t/0.022) + 0.7*low*math.Exp(-t/0.012)
		} else {
			p[i] = 0.3*math.Sin(2*math.Pi*80*t)*math.Exp(-t/0.02) + 0.9*low*math.Exp(-t/0.030)
		}
		p[i] *= math.Min(1, t/0.002)
	}
	return p
}

func thud(r *rand.Rand) []float64 {
	p := make([]float64, int(0.3*rate))
	var low float64
	for i := range p {
		t := float64(i) / rate
		low += (r.Float64()*2 - 1 - low) * 0.06
		p[i] = math.Min(1, t/0.003) * (math.Sin(2*math.Pi*(92-60*t)*t)*math.Exp(-t/0.07) + low*math.Exp(-t/0.03))
	}
	return p
}

func click(r *rand.Rand) []float64 {
	p := make([]float64, int(0.11*rate))
	for i := range p {
		t := float64(i) / rate
		n := r.Float64()*2 - 1
		p[i] = n*math.Exp(-t/0.0016) + 0.5*math.Sin(2*math.Pi*1900*t)*math.Exp(-t/0.004)
		if t > 0.075 { // and up again
			p[i] += 0.5 * n * math.Exp(-(t-0.075)/0.0014)
		}
	}
	return p
}

func latch(r *rand.Rand) []float64 {
	p := make([]float64, int(0.12*rate))
	for i := range p {
		t := float64(i) / rate
		n := r.Float64()*2 - 1
		p[i] = n*math.Exp(-t/0.003) + 0.6*math.Sin(2*math.Pi*760*t)*math.Exp(-t/0.012)
		if t > 0.05 {
			p[i] += 0.7*n*math.Exp(-(t-0.05)/0.004) + 0.4*math.Sin(2*math.Pi*520*t)*math.Exp(-(t-0.05)/0.015)
		}
	}
	return p
}

func rustle(r *rand.Rand, long float64) []float64 {
	p := make([]float64, int(long*rate))
	var a, b float64
	for i := range p {
		t := float64(i) / rate
		n := r.Float64()*2 - 1
		a += (n - a) * 0.35
		b += (a - b) * 0.06
		p[i] = (a - b) * math.Sin(math.Pi*t/long) * (0.6 + 0.4*math.Sin(2*math.Pi*t*17))
	}
	return p
}

// creak is a hinge: a slow stick-slip buzz whose pitch wanders, through two resonances.
func creak(r *rand.Rand, long, pitch float64) []float64 {
	p := make([]float64, int(long*rate))
	var ph float64
	var y1, y2, z1, z2 float64
	res := func(x, f, q float64, s1, s2 *float64) float64 {
		w := 2 * math.Pi * f / rate
		k := math.Exp(-w / (2 * q))
		y := x + 2*k*math.Cos(w)**s1 - k*k**s2
		*s2, *s1 = *s1, y
		return y * (1 - k)
	}
	for i := range p {
		t := float64(i) / rate
		u := t / long
		hz := pitch * (62 + 46*u + 18*math.Sin(2*math.Pi*2.1*u) + 5*(r.Float64()-0.5))
		ph += hz / rate
		x := 0.0
		if ph >= 1 {
			ph--
			x = 1 + 0.4*(r.Float64()-0.5)
		}
		v := res(x, 620*pitch*(1+0.25*u), 9, &y1, &y2)*6 + res(x, 1350*pitch*(1+0.12*u), 11, &z1, &z2)*3
		p[i] = v * math.Sin(math.Pi*math.Pow(u, 0.7))
	}
	return p
}
