//go:build loop

package main

import (
	"image"
	"math"
)

// Where the light comes from.
const (
	lampX, lampY = 664.0, 282.0
	bellX, bellY = 680.0, 414.0
)

var (
	dusk = rgb{0.42, 0.46, 0.68}
	warm = rgb{1.20, 0.80, 0.44}
)

// bulbs of the string along the porch beam, on two hanging arcs.
func bulbs() []pt {
	var out []pt
	for _, span := range [][2]float64{{470, 832}, {832, 1200}} {
		for i := 1; i < 9; i++ {
			u := float64(i) / 9
			out = append(out, pt{lerp(span[0], span[1], u), 112 + 40*4*u*(1-u)*0.8})
		}
	}
	return out
}

// lightAt is what falls on a thing at this place: evening from the sky, warmth from the lamp and the window.
func lightAt(x, y, open float64) rgb {
	c := dusk
	d := math.Hypot(x-lampX, (y-lampY)*0.92) / 165
	c = c.plus(warm.times(float32(1.02 / (1 + d*d))))
	for i := range 5 {
		bx := 500 + float64(i)*170
		d := math.Hypot(x-bx, y-130) / 90
		c = c.plus(rgb{0.30, 0.21, 0.12}.times(float32(0.6 / (1 + d*d))))
	}
	d = math.Hypot((x-1058)/1.3, y-400) / 120
	c = c.plus(rgb{0.55, 0.38, 0.18}.times(float32(0.5 / (1 + d*d))))
	if open > 0 {
		d := math.Hypot((x-790)*1.1, (y-480)*0.7) / 150
		c = c.plus(rgb{1.0, 0.72, 0.40}.times(float32(open * 0.75 / (1 + d*d))))
	}
	return c
}

// lit composes a painted layer under the light over another.
func (l *layer) lit(o *layer, box image.Rectangle, open float64) {
	box = box.Intersect(image.Rect(0, 0, width, height))
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := (y*width + x) * 4
			a := o.pix[i+3]
			if a == 0 {
				continue
			}
			c := rgb{o.pix[i], o.pix[i+1], o.pix[i+2]}.mul(lightAt(float64(x), float64(y), open))
			k := 1 - a
			l.pix[i], l.pix[i+1], l.pix[i+2], l.pix[i+3] = l.pix[i]*k+c.r, l.pix[i+1]*k+c.g, l.pix[i+2]*k+c.b, l.pix[i+3]*k+a
		}
	}
}

// bytes makes 8 bit RGB out of it, bright parts rolled off, with a still dither
// so that the sky shows no bands.
func (l *layer) bytes(out []byte) {
	for i := range width * height {
		x, y := uint32(i%width), uint32(i/width)
		h := x*0x9E3779B1 ^ y*0x85EBCA77
		h ^= h >> 15
		h *= 0x2C1B3C6D
		h ^= h >> 13
		n := float32(h&0xffff)/65536 - 0.5
		for c := range 3 {
			v := l.pix[i*4+c]
			if v > 0.8 {
				v = 0.8 + 0.2*(1-float32(math.Exp(-float64(v-0.8)/0.2)))
			}
			f := v*255 + 0.5 + n
			out[i*3+c] = uint8(max(0, min(255, f)))
		}
	}
}
