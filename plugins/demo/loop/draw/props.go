//go:build loop

package main

import (
	"math"
	"math/rand/v2"
)

// roof and beam with its string of lights; above everybody's head.
func roof(l *layer) {
	l.fill(polygon(pt{398, 66}, pt{470, -10}, pt{1290, -10}, pt{1290, 66}), func(x, y float64) (rgb, float32) {
		row := math.Floor((y + 10) / 15)
		in := math.Mod(y+10, 15) / 15
		col := math.Mod(x+math.Mod(row, 2)*16+4000, 32) / 32
		c := hex(0x5a4c5c).mix(hex(0x453a4c), float32(in))
		if in > 0.88 || col > 0.95 {
			c = c.times(0.72)
		}
		return c, 1
	})
	l.fill(polygon(pt{392, 62}, pt{1290, 62}, pt{1290, 76}, pt{392, 76}), down(62, 76, hex(0xfffaf0), hex(0xd4cdc1)))
	l.fill(rect(428, 76, 860, 32), down(76, 108, hex(0xe9e3d7), hex(0xbdb6ab)))
	l.fill(rect(428, 104, 860, 5), flat(hex(0x8f887f)))
}

func stringLights(l *layer) {
	bs := bulbs()
	line := flat(hex(0x1d2228))
	for _, span := range [][2]float64{{470, 832}, {832, 1200}} {
		var last pt
		for i := range 41 {
			u := float64(i) / 40
			p := pt{lerp(span[0], span[1], u), 106 + 40*4*u*(1-u)*0.8}
			if i > 0 {
				l.stroke(1.8, line, last, p)
			}
			last = p
		}
	}
	for _, b := range bs {
		l.fill(rect(b.x-2, b.y-6, 4, 6), line)
	}
}

// column in front, left or right.
func column(l *layer, x float64) {
	c := func(px, _ float64) (rgb, float32) {
		u := (px - x) / 34
		return hex(0xfdf8ee).mix(hex(0xa9a29a), float32(math.Pow(math.Abs(u-0.35)*1.4, 1.5))), 1
	}
	l.fill(rect(x+3, 108, 28, 516), c)
	l.fill(roundRect(x-6, 108, 46, 16, 3), c)
	l.fill(roundRect(x-2, 124, 38, 8, 3), c)
	l.fill(roundRect(x-3, 592, 40, 14, 3), c)
	l.fill(roundRect(x-7, 604, 48, 22, 3), c)
}

func railing(l *layer, x0, x1 float64) {
	white := down(480, 620, hex(0xfaf5ea), hex(0xc9c2b6))
	for x := x0 + 10; x < x1-4; x += 20 {
		l.fill(rect(x, 500, 8, 106), across(x, x+8, hex(0xfaf5ea), hex(0xb9b2a6)))
	}
	l.fill(roundRect(x0-4, 488, x1-x0+8, 14, 4), white)
	l.fill(rect(x0, 596, x1-x0, 10), white)
	l.fill(roundRect(x0-12, 474, 20, 152, 3), across(x0-12, x0+8, hex(0xfdf8ee), hex(0xb4ada2)))
	l.fill(ellipse(x0-2, 466, 11, 11), ball(x0-6, 462, 16, hex(0xfffaf0), hex(0xa9a29a)))
}

func pot(l *layer, x, y, w, h float64, lit, dark uint32) {
	l.fill(polygon(pt{x - w/2, y - h}, pt{x + w/2, y - h}, pt{x + w*0.36, y}, pt{x - w*0.36, y}), across(x-w/2, x+w/2, hex(lit), hex(dark)))
	l.fill(roundRect(x-w*0.55, y-h-6, w*1.1, 14, 3), across(x-w/2, x+w/2, hex(lit).times(1.1), hex(dark)))
}

// leaves is a round bush that sways a little.
func leaves(l *layer, x, y, rx, ry float64, n int, seed uint64, sway float64, a, b uint32) {
	r := rand.New(rand.NewPCG(seed, 99))
	for range n {
		ang, d := r.Float64()*2*math.Pi, math.Sqrt(r.Float64())
		dy := math.Sin(ang) * d
		px, py := x+math.Cos(ang)*d*rx+sway*(1-dy)*0.5, y+dy*ry
		s := 4.5 + r.Float64()*4.5
		t := r.Float64() * 2 * math.Pi
		lit := float32(clamp01(0.45 - dy*0.4 + 0.3*(r.Float64()-0.5)))
		l.fill(limb(pt{px, py}, pt{px + math.Cos(t)*s*1.7, py + math.Sin(t)*s*1.2}, s, s*0.35), flat(hex(a).mix(hex(b), lit)))
	}
}

func flowers(l *layer, x, y, rx, ry float64, n int, seed uint64, sway float64, cols ...uint32) {
	r := rand.New(rand.NewPCG(seed, 17))
	for i := range n {
		ang, d := r.Float64()*2*math.Pi, math.Sqrt(r.Float64())
		px, py := x+math.Cos(ang)*d*rx+sway, y+math.Sin(ang)*d*ry
		c := hex(cols[i%len(cols)])
		s := 3.4 + 1.6*r.Float64()
		for k := range 5 {
			t := float64(k)/5*2*math.Pi + r.Float64()
			l.fill(ellipse(px+math.Cos(t)*s, py+math.Sin(t)*s, s*0.8, s*0.8), flat(c))
		}
		l.fill(ellipse(px, py, s*0.55, s*0.55), flat(hex(0xffe08a)))
	}
}

func topiary(l *layer, x float64) {
	pot(l, x, 592, 58, 50, 0xb9694a, 0x7d4230)
	l.fill(rect(x-4, 470, 8, 76), flat(hex(0x5a4030)))
	leaves(l, x, 520, 25, 24, 120, 31, 0, 0x2b4f3a, 0x6f9a5c)
	leaves(l, x, 446, 37, 37, 230, 32, 0, 0x2b4f3a, 0x6f9a5c)
}

func basket(l *layer, x, sway float64) {
	y := 214.0
	l.stroke(1.6, flat(hex(0x2a2520)), pt{x, 108}, pt{x + sway - 22, y})
	l.stroke(1.6, flat(hex(0x2a2520)), pt{x, 108}, pt{x + sway + 22, y})
	l.fill((&path{}).move(x+sway-28, y).cubic(x+sway-26, y+34, x+sway+26, y+34, x+sway+28, y), across(x-28, x+28, hex(0x8a6142), hex(0x5c3f2b)))
	leaves(l, x+sway, y, 38, 17, 130, 41, sway*0.3, 0x2f5a3c, 0x86a95f)
	for i := range 7 {
		dx := float64(i-3) * 11
		n := 26 + math.Mod(float64(i)*17, 22)
		l.stroke(3, flat(hex(0x527d49)), pt{x + sway + dx, y + 8}, pt{x + sway*1.5 + dx*1.15, y + n}, pt{x + sway*2 + dx*1.1, y + n + 14})
	}
	flowers(l, x+sway, y+2, 36, 18, 22, 42, 0, 0xf2748c, 0xf7a6b8, 0xfff0f0)
}

// bed is the flower bed in front of the lattice; it covers the feet of nobody.
func bed(l *layer, sway float64) {
	l.fill(spline(pt{470, 740}, pt{480, 704}, pt{700, 696}, pt{1000, 700}, pt{1290, 692}, pt{1300, 740}), flat(hex(0x2a2026)))
	for i := range 15 {
		x := 505 + float64(i)*54
		h := 22 + math.Mod(float64(i)*37, 20)
		leaves(l, x, 704-h*0.35, 33, h, 74, uint64(50+i), sway*(0.5+0.5*math.Sin(float64(i))), 0x254534, 0x5c8a55)
		if i%3 != 1 {
			cols := [][]uint32{{0xf4c95d, 0xfbe3a0}, {0xb58be0, 0xd9c2f2}, {0xf2748c, 0xf9b3c0}}[(i/2)%3]
			flowers(l, x, 694-h*0.5, 25, h*0.6, 9, uint64(80+i), sway, cols...)
		}
	}
}

// lantern on the wall.
func lantern(l *layer) {
	iron := flat(hex(0x1d2126))
	l.fill(roundRect(lampX-9, lampY-46, 18, 96, 4), iron)
	l.stroke(5, iron, pt{lampX, lampY - 44}, pt{lampX, lampY - 56}, pt{lampX, lampY - 34})
	l.fill(polygon(pt{lampX - 25, lampY - 26}, pt{lampX, lampY - 46}, pt{lampX + 25, lampY - 26}), iron)
	l.fill(polygon(pt{lampX - 20, lampY - 26}, pt{lampX + 20, lampY - 26}, pt{lampX + 14, lampY + 28}, pt{lampX - 14, lampY + 28}), iron)
	l.fill(roundRect(lampX-16, lampY+26, 32, 7, 3), iron)
}

// lanternGlass is lit from inside, so no light falls on it.
func lanternGlass(l *layer) {
	l.fill(polygon(pt{lampX - 16, lampY - 22}, pt{lampX + 16, lampY - 22}, pt{lampX + 11, lampY + 25}, pt{lampX - 11, lampY + 25}), ball(lampX, lampY+4, 40, hex(0xfffbe6), hex(0xffb84d)))
	l.stroke(2.5, flat(hex(0x2c261f)), pt{lampX, lampY - 22}, pt{lampX, lampY + 25})
	l.glow(lampX, lampY+2, 46, rgb{0.75, 0.52, 0.26})
	l.glow(lampX, lampY+2, 190, rgb{0.20, 0.12, 0.04})
}

// bell button on the wall; ring is the light of its rim, 0 to 1.
func bell(l *layer, ring float64) {
	l.fill(roundRect(bellX-9, bellY-17, 18, 34, 7), across(bellX-9, bellX+9, hex(0x3a4148), hex(0x191d21)))
	l.fill(ellipse(bellX, bellY-8, 4, 4), flat(hex(0x0c0e12)))
	l.fill(ellipse(bellX-1, bellY-9, 1.4, 1.4), flat(hex(0x6f8ba0)))
	l.fill(ellipse(bellX, bellY+6, 6.2, 6.2), flat(hex(0x57e0ff).times(float32(0.6+0.8*ring))))
	l.fill(ellipse(bellX, bellY+6, 4.4, 4.4), flat(hex(0xe9f2f4).times(float32(0.7+0.3*ring))))
	l.glow(bellX, bellY+6, 20+16*ring, rgb{0.05, 0.20, 0.26}.times(float32(0.5+1.6*ring)))
}

// room is what one sees through the lit window.
func room(l *layer) {
	l.fill(rect(960, 244, 196, 196), ball(1075, 320, 190, hex(0xffe1a0), hex(0xd98b45)))
	// a lamp, a shelf, a picture
	l.fill(polygon(pt{1092, 300}, pt{1128, 300}, pt{1138, 336}, pt{1082, 336}), flat(hex(0xfff6d6)))
	l.stroke(4, flat(hex(0x8a5a30)), pt{1110, 336}, pt{1110, 400})
	l.fill(rect(1030, 276, 44, 34), flat(hex(0xb9703c)))
	l.fill(rect(1034, 280, 36, 26), flat(hex(0xf3cf96)))
	l.fill(polygon(pt{1034, 306}, pt{1048, 288}, pt{1058, 298}, pt{1064, 292}, pt{1070, 306}), flat(hex(0x8c6b4a)))
	// curtains
	for _, s := range []float64{-1, 1} {
		edge := 1058 + s*98
		p := (&path{}).move(edge, 244).line(edge-s*66, 244).cubic(edge-s*58, 320, edge-s*24, 340, edge-s*20, 440).line(edge, 440)
		l.fill(p, func(x, _ float64) (rgb, float32) {
			f := 0.5 + 0.5*math.Sin((x-edge)*0.42)
			return hex(0xf7c9a0).mix(hex(0xc9806a), float32(f*0.8)), 1
		})
	}
	l.fill(rect(960, 244, 196, 12), flat(hex(0xc67a62)))
}

func windowBars(l *layer) {
	c := flat(hex(0xf4ecdc))
	l.fill(rect(1055, 244, 6, 196), c)
	l.fill(rect(960, 334, 196, 5), c)
}

// cat sits on the sill inside and has its own opinion.
func cat(l *layer, tail, turn float64) {
	fur := flat(hex(0x3a2c2a))
	x, y := 1004.0, 440.0
	tip := pt{x - 30 + tail*7, y - 26 - math.Abs(tail)*4}
	l.fill(limb(pt{x - 14, y - 6}, pt{x - 30, y - 8}, 5, 4.4), fur)
	l.fill(limb(pt{x - 30, y - 8}, tip, 4.4, 3), fur)
	l.fill(spline(pt{x - 20, y}, pt{x - 19, y - 22}, pt{x - 9, y - 46}, pt{x + 8, y - 48}, pt{x + 16, y - 24}, pt{x + 18, y}), fur)
	hx, hy := x+2+turn*4, y-58
	l.fill(ellipse(hx, hy, 16, 14), fur)
	for _, s := range []float64{-1, 1} {
		l.fill(polygon(pt{hx + s*15 - turn*2, hy - 4}, pt{hx + s*12 - turn*2, hy - 24}, pt{hx + s*2, hy - 12}), fur)
		l.fill(ellipse(hx+s*5.5-turn*5, hy-1, 2.2, 2.8), flat(hex(0xd9f28a)))
	}
}

// hall is the warm room behind the door.
func hall(l *layer) {
	l.fill(rect(716, 246, 148, 330), ball(790, 330, 260, hex(0xffe2a6), hex(0xc77f43)))
	l.fill(polygon(pt{716, 576}, pt{864, 576}, pt{846, 530}, pt{736, 530}), flat(hex(0x9a6a44)))
	l.fill(rect(736, 526, 110, 5), flat(hex(0xf0d7ae)))
	// coats, and a clock
	l.stroke(4, flat(hex(0x7d5535)), pt{742, 352}, pt{786, 352})
	l.fill(spline(pt{748, 354}, pt{742, 430}, pt{762, 432}, pt{758, 354}), flat(hex(0x4f6f7a)))
	l.fill(spline(pt{770, 354}, pt{766, 414}, pt{784, 416}, pt{780, 354}), flat(hex(0xa8503f)))
	l.fill(ellipse(824, 330, 17, 17), flat(hex(0xfff3d8)))
	l.stroke(2, flat(hex(0x6b4a30)), pt{824, 330}, pt{824, 319})
	l.stroke(2, flat(hex(0x6b4a30)), pt{824, 330}, pt{832, 333})
}

// fan is the glass over the door.
func fan(l *layer, bright float64) {
	l.fill((&path{}).move(722, 238).cubic(722, 186, 757, 171, 790, 171).cubic(823, 171, 858, 186, 858, 238), ball(790, 238, 84, hex(0xffe9b0).times(float32(bright)), hex(0xe79a4c).times(float32(bright))))
	for _, a := range []float64{0.22, 0.5, 0.78} {
		x, y := math.Cos(a*math.Pi), math.Sin(a*math.Pi)
		l.stroke(3, flat(hex(0xf4ecdc)), pt{790 - x*20, 238 - y*18}, pt{790 - x*72, 238 - y*68})
	}
	l.fill((&path{}).move(768, 240).cubic(768, 212, 812, 212, 812, 240), flat(hex(0xf4ecdc)))
	l.glow(790, 215, 110, rgb{0.16, 0.10, 0.04})
}
