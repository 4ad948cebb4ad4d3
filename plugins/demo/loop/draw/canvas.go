//go:build loop

package main

import (
	"image"
	"math"

	"golang.org/x/image/vector"
)

// Size of the picture.
const (
	width  = 1280
	height = 720
)

// rgb is a colour, 0 to 1 each.
type rgb struct{ r, g, b float32 }

func hex(v uint32) rgb {
	return rgb{float32(v>>16&255) / 255, float32(v>>8&255) / 255, float32(v&255) / 255}
}

func (c rgb) times(k float32) rgb { return rgb{c.r * k, c.g * k, c.b * k} }
func (c rgb) mul(o rgb) rgb       { return rgb{c.r * o.r, c.g * o.g, c.b * o.b} }
func (c rgb) plus(o rgb) rgb      { return rgb{c.r + o.r, c.g + o.g, c.b + o.b} }
func (c rgb) mix(o rgb, t float32) rgb {
	return rgb{c.r + (o.r-c.r)*t, c.g + (o.g-c.g)*t, c.b + (o.b-c.b)*t}
}

// layer is a picture with premultiplied alpha.
type layer struct {
	pix  []float32 // r g b a
	ras  *vector.Rasterizer
	mask *image.Alpha
	clip image.Rectangle
}

func newLayer() *layer {
	l := &layer{
		pix: make([]float32, width*height*4), ras: vector.NewRasterizer(width, height),
		mask: image.NewAlpha(image.Rect(0, 0, width, height)), clip: image.Rect(0, 0, width, height),
	}
	return l
}

func (l *layer) copyFrom(o *layer) { copy(l.pix, o.pix) }

func (l *layer) clear() { clear(l.pix) }

type pt struct{ x, y float64 }

func (p pt) add(q pt) pt               { return pt{p.x + q.x, p.y + q.y} }
func (p pt) sub(q pt) pt               { return pt{p.x - q.x, p.y - q.y} }
func (p pt) scale(k float64) pt        { return pt{p.x * k, p.y * k} }
func (p pt) length() float64           { return math.Hypot(p.x, p.y) }
func lerp(a, b, t float64) float64     { return a + (b-a)*t }
func mixPt(a, b pt, t float64) pt      { return pt{lerp(a.x, b.x, t), lerp(a.y, b.y, t)} }
func clamp01(t float64) float64        { return math.Max(0, math.Min(1, t)) }
func smooth(t float64) float64         { t = clamp01(t); return t * t * (3 - 2*t) }
func ramp(t, from, to float64) float64 { return smooth((t - from) / (to - from)) }

// path is a closed outline; cubic segments are three points.
type path struct {
	ops []byte
	pts []pt
}

func (p *path) move(x, y float64) *path {
	p.ops, p.pts = append(p.ops, 'm'), append(p.pts, pt{x, y})
	return p
}

func (p *path) line(x, y float64) *path {
	p.ops, p.pts = append(p.ops, 'l'), append(p.pts, pt{x, y})
	return p
}

func (p *path) cubic(x1, y1, x2, y2, x, y float64) *path {
	p.ops, p.pts = append(p.ops, 'c'), append(p.pts, pt{x1, y1}, pt{x2, y2}, pt{x, y})
	return p
}

func polygon(pts ...pt) *path {
	p := &path{}
	for i, q := range pts {
		if i == 0 {
			p.move(q.x, q.y)
		} else {
			p.line(q.x, q.y)
		}
	}
	return p
}

func rect(x, y, w, h float64) *path {
	return polygon(pt{x, y}, pt{x + w, y}, pt{x + w, y + h}, pt{x, y + h})
}

// kappa makes a quarter circle out of a cubic.
const kappa = 0.5522847498

func ellipse(cx, cy, rx, ry float64) *path {
	p := &path{}
	p.move(cx+rx, cy)
	p.cubic(cx+rx, cy+ry*kappa, cx+rx*kappa, cy+ry, cx, cy+ry)
	p.cubic(cx-rx*kappa, cy+ry, cx-rx, cy+ry*kappa, cx-rx, cy)
	p.cubic(cx-rx, cy-ry*kappa, cx-rx*kappa, cy-ry, cx, cy-ry)
	p.cubic(cx+rx*kappa, cy-ry, cx+rx, cy-ry*kappa, cx+rx, cy)
	return p
}

func roundRect(x, y, w, h, r float64) *path {
	k := r * (1 - kappa)
	p := &path{}
	p.move(x+r, y).line(x+w-r, y).cubic(x+w-k, y, x+w, y+k, x+w, y+r)
	p.line(x+w, y+h-r).cubic(x+w, y+h-k, x+w-k, y+h, x+w-r, y+h)
	p.line(x+r, y+h).cubic(x+k, y+h, x, y+h-k, x, y+h-r)
	p.line(x, y+r).cubic(x, y+k, x+k, y, x+r, y)
	return p
}

// limb is a capsule that may get thinner.
func limb(a, b pt, ra, rb float64) *path {
	d := b.sub(a)
	n := d.length()
	if n < 1e-6 {
		return ellipse(a.x, a.y, math.Max(ra, rb), math.Max(ra, rb))
	}
	base := math.Atan2(d.y, d.x)
	off := math.Acos(math.Max(-1, math.Min(1, (ra-rb)/n)))
	p := &path{}
	arc := func(c pt, r, from, to float64, first bool) {
		const steps = 14
		for i := range steps + 1 {
			t := from + (to-from)*float64(i)/steps
			x, y := c.x+r*math.Cos(t), c.y+r*math.Sin(t)
			if first && i == 0 {
				p.move(x, y)
			} else {
				p.line(x, y)
			}
		}
	}
	arc(a, ra, base+off, base+2*math.Pi-off, true)
	arc(b, rb, base-off, base+off, false)
	return p
}

// spline goes smoothly through closed points (Catmull-Rom).
func spline(pts ...pt) *path {
	p := &path{}
	n := len(pts)
	p.move(pts[0].x, pts[0].y)
	for i := range n {
		p0, p1, p2, p3 := pts[(i+n-1)%n], pts[i], pts[(i+1)%n], pts[(i+2)%n]
		c1 := p1.add(p2.sub(p0).scale(1.0 / 6))
		c2 := p2.sub(p3.sub(p1).scale(1.0 / 6))
		p.cubic(c1.x, c1.y, c2.x, c2.y, p2.x, p2.y)
	}
	return p
}

// stroke is an open line of constant thickness.
func (l *layer) stroke(w float64, paint paint, pts ...pt) {
	for i := range len(pts) - 1 {
		l.fill(limb(pts[i], pts[i+1], w/2, w/2), paint)
	}
}

func (p *path) bounds() image.Rectangle {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, q := range p.pts {
		x0, y0, x1, y1 = math.Min(x0, q.x), math.Min(y0, q.y), math.Max(x1, q.x), math.Max(y1, q.y)
	}
	return image.Rect(int(math.Floor(x0))-1, int(math.Floor(y0))-1, int(math.Ceil(x1))+1, int(math.Ceil(y1))+1)
}

// paint gives the colour and the opacity of a point.
type paint func(x, y float64) (rgb, float32)

func flat(c rgb) paint { return func(float64, float64) (rgb, float32) { return c, 1 } }

func glass(c rgb, a float32) paint { return func(float64, float64) (rgb, float32) { return c, a } }

// down goes from one colour to another between two heights.
func down(y0, y1 float64, a, b rgb) paint {
	return func(_, y float64) (rgb, float32) { return a.mix(b, float32(clamp01((y-y0)/(y1-y0)))), 1 }
}

func across(x0, x1 float64, a, b rgb) paint {
	return func(x, _ float64) (rgb, float32) { return a.mix(b, float32(clamp01((x-x0)/(x1-x0)))), 1 }
}

// ball shades from a light point to the rim.
func ball(cx, cy, r float64, lit, dark rgb) paint {
	return func(x, y float64) (rgb, float32) {
		return lit.mix(dark, float32(smooth(math.Hypot(x-cx, y-cy)/r))), 1
	}
}

// fill paints the inside of the path over the layer.
func (l *layer) fill(p *path, shade paint) {
	box := p.bounds().Intersect(l.clip)
	if box.Empty() {
		return
	}
	w, h := box.Dx(), box.Dy()
	l.ras.Reset(w, h)
	ox, oy := float64(box.Min.X), float64(box.Min.Y)
	xy := func(q pt) (float32, float32) { return float32(q.x - ox), float32(q.y - oy) }
	i, open := 0, false
	for _, op := range p.ops {
		switch op {
		case 'm':
			if open {
				l.ras.ClosePath()
			}
			x, y := xy(p.pts[i])
			l.ras.MoveTo(x, y)
			open = true
			i++
		case 'l':
			x, y := xy(p.pts[i])
			l.ras.LineTo(x, y)
			i++
		case 'c':
			x1, y1 := xy(p.pts[i])
			x2, y2 := xy(p.pts[i+1])
			x, y := xy(p.pts[i+2])
			l.ras.CubeTo(x1, y1, x2, y2, x, y)
			i += 3
		}
	}
	l.ras.ClosePath()
	m := &image.Alpha{Pix: l.mask.Pix[:w*h], Stride: w, Rect: image.Rect(0, 0, w, h)}
	clear(m.Pix)
	l.ras.Draw(m, m.Rect, image.Opaque, image.Point{})
	for y := range h {
		row := m.Pix[y*w : y*w+w]
		for x, cover := range row {
			if cover == 0 {
				continue
			}
			c, a := shade(ox+float64(x)+0.5, oy+float64(y)+0.5)
			l.over(box.Min.X+x, box.Min.Y+y, c, a*float32(cover)/255)
		}
	}
}

func (l *layer) over(x, y int, c rgb, a float32) {
	q := l.pix[(y*width+x)*4:][:4]
	k := 1 - a
	q[0], q[1], q[2], q[3] = q[0]*k+c.r*a, q[1]*k+c.g*a, q[2]*k+c.b*a, q[3]*k+a
}

// glow adds light round a point; strength falls with the square to nothing at radius r.
func (l *layer) glow(cx, cy, r float64, c rgb) {
	box := image.Rect(int(cx-r), int(cy-r), int(cx+r)+1, int(cy+r)+1).Intersect(l.clip)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			d := math.Hypot(float64(x)-cx, float64(y)-cy) / r
			if d >= 1 {
				continue
			}
			f := float32((1 - d) * (1 - d))
			q := l.pix[(y*width+x)*4:][:4]
			q[0], q[1], q[2] = q[0]+c.r*f, q[1]+c.g*f, q[2]+c.b*f
		}
	}
}

// shadow darkens an ellipse softly.
func (l *layer) shadow(cx, cy, rx, ry float64, strength float64) {
	box := image.Rect(int(cx-rx), int(cy-ry), int(cx+rx)+1, int(cy+ry)+1).Intersect(l.clip)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			d := math.Hypot((float64(x)-cx)/rx, (float64(y)-cy)/ry)
			if d < 1 {
				l.over(x, y, rgb{0.02, 0.02, 0.05}, float32(strength*smooth(1-d)))
			}
		}
	}
}
