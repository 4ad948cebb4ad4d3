//go:build loop

package main

import (
	"math"
	"math/rand/v2"
)

// Heights that several things share: where feet stand.
const (
	groundY = 668.0
	floorY  = 600.0
)

// steps up to the porch: left edge and the height on which feet stand.
var steps = []struct{ x, y float64 }{{346, 645}, {394, 622}, {442, floorY}}

// sky is the backdrop, painted with the colours of the evening and lit by nothing else.
func sky(l *layer) {
	stops := []struct {
		y float64
		c rgb
	}{{0, hex(0x1b2350)}, {170, hex(0x3a3a78)}, {330, hex(0x7a5590)}, {450, hex(0xc9788a)}, {535, hex(0xf3a77c)}, {600, hex(0xfbcf94)}, {720, hex(0xfbcf94)}}
	l.fill(rect(0, 0, width, height), func(x, y float64) (rgb, float32) {
		for i := range len(stops) - 1 {
			if y < stops[i+1].y {
				return stops[i].c.mix(stops[i+1].c, float32((y-stops[i].y)/(stops[i+1].y-stops[i].y))), 1
			}
		}
		return stops[len(stops)-1].c, 1
	})
	moon(l, 322, 118)
	// thin clouds
	for _, c := range []struct{ x, y, rx, ry float64 }{{120, 300, 150, 9}, {60, 316, 120, 8}, {330, 372, 170, 10}, {250, 386, 110, 7}, {40, 425, 140, 9}, {400, 250, 90, 6}} {
		l.fill(ellipse(c.x, c.y, c.rx, c.ry), func(x, y float64) (rgb, float32) {
			d := math.Hypot((x-c.x)/c.rx, (y-c.y)/c.ry)
			return hex(0xf0a9a0).mix(hex(0x8a6aa6), float32(clamp01((360-c.y)/150))), float32(0.55 * smooth(1-d))
		})
	}
}

func moon(l *layer, x, y float64) {
	l.glow(x, y, 150, rgb{0.16, 0.15, 0.20})
	l.glow(x, y, 60, rgb{0.18, 0.17, 0.16})
	const r = 26.0
	// A crescent is a disc less a disc.
	l.fill(ellipse(x, y, r, r), func(px, py float64) (rgb, float32) {
		d := math.Hypot(px-(x+13), py-(y-7)) - r*0.92
		return hex(0xfff3d6), float32(clamp01(d + 0.5))
	})
}

// garden is what lies left of the porch: hills, houses, trees, fence, path.
func garden(l *layer) {
	l.fill(spline(pt{-60, 760}, pt{-60, 540}, pt{60, 505}, pt{180, 528}, pt{300, 498}, pt{430, 520}, pt{560, 505}, pt{620, 760}), down(500, 600, hex(0x8d6a93), hex(0xb98291)))
	l.fill(spline(pt{-80, 760}, pt{-60, 575}, pt{90, 548}, pt{230, 566}, pt{370, 545}, pt{520, 560}, pt{640, 760}), down(545, 640, hex(0x5d4b76), hex(0x7b5b78)))
	cottage(l, 96, 566, 78, 46)
	cottage(l, 262, 562, 62, 40)
	tree(l, 42, 612, 1.25, 11)
	tree(l, 196, 594, 0.62, 5)
	tree(l, 398, 600, 0.85, 9)
	// lawn
	l.fill(polygon(pt{0, 604}, pt{520, 598}, pt{1280, 660}, pt{1280, 720}, pt{0, 720}), down(600, 720, hex(0x3c4a52), hex(0x1c2b30)))
	fence(l)
	// path with slabs
	l.fill(polygon(pt{0, 646}, pt{360, 646}, pt{372, 694}, pt{0, 698}), down(646, 698, hex(0x8a7d86), hex(0x5f5664)))
	for i := range 6 {
		x := float64(i)*66 + 18
		l.stroke(2, glass(hex(0x4b4453), 0.7), pt{x + 8, 647}, pt{x, 696})
	}
	l.stroke(2.5, glass(hex(0xb4a0a0), 0.5), pt{0, 646}, pt{360, 646})
	grass(l, 0, 372, 700, 4)
	grass(l, 0, 345, 645, 8)
}

func cottage(l *layer, x, y, w, h float64) {
	l.fill(rect(x-w/2, y-h, w, h+26), down(y-h, y+26, hex(0x4a3d63), hex(0x5a476a)))
	l.fill(polygon(pt{x - w/2 - 8, y - h}, pt{x, y - h - w*0.42}, pt{x + w/2 + 8, y - h}), flat(hex(0x352d50)))
	l.fill(rect(x+w*0.18, y-h-w*0.44, w*0.12, w*0.26), flat(hex(0x352d50)))
	for _, dx := range []float64{-0.24, 0.2} {
		l.fill(rect(x+dx*w-5, y-h*0.7, 11, 13), flat(hex(0xffd27a)))
		l.glow(x+dx*w, y-h*0.6, 26, rgb{0.22, 0.14, 0.04})
	}
}

func tree(l *layer, x, y, k float64, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	l.fill(polygon(pt{x - 7*k, y + 8}, pt{x - 4*k, y - 120*k}, pt{x + 4*k, y - 120*k}, pt{x + 8*k, y + 8}), flat(hex(0x2a2440)))
	for range 46 {
		a, d := r.Float64()*2*math.Pi, math.Sqrt(r.Float64())
		cx, cy := x+math.Cos(a)*d*58*k, y-150*k+math.Sin(a)*d*72*k
		s := (15 + 13*r.Float64()) * k
		shade := hex(0x332c4d).mix(hex(0x4f3f63), float32(clamp01(0.5-math.Sin(a)*d*0.6+0.25*math.Cos(a))))
		l.fill(ellipse(cx, cy, s, s*0.86), flat(shade))
	}
}

func fence(l *layer) {
	c := down(570, 650, hex(0xb7a3b4), hex(0x7d7190))
	l.fill(rect(0, 602, 352, 7), c)
	l.fill(rect(0, 626, 352, 7), c)
	for i := range 18 {
		x := float64(i)*20 + 3
		l.fill(polygon(pt{x, 644}, pt{x, 588}, pt{x + 6, 580}, pt{x + 12, 588}, pt{x + 12, 644}), c)
	}
}

func grass(l *layer, x0, x1, y float64, h float64) {
	r := rand.New(rand.NewPCG(uint64(y), 3))
	for x := x0; x < x1; x += 5 {
		t := h * (0.6 + r.Float64())
		l.fill(polygon(pt{x, y + 3}, pt{x + 2 + r.Float64()*3 - 1.5, y - t}, pt{x + 4, y + 3}), flat(hex(0x33464a).mix(hex(0x4d5f52), float32(r.Float64()))))
	}
}

// walls is the house: painted with its day colours, lit afterwards.
func walls(l *layer) {
	// clapboards
	l.fill(rect(476, 60, 804, 516), func(x, y float64) (rgb, float32) {
		in := math.Mod(y-60, 21) / 21
		c := hex(0x6f93a0).mix(hex(0x5c808f), float32(in))
		if in > 0.90 {
			c = c.times(0.70)
		} else if in < 0.06 {
			c = c.times(1.10)
		}
		return c, 1
	})
	l.fill(rect(476, 60, 16, 516), across(476, 492, hex(0xf2ecdf), hex(0xd5cfc4)))
	// the shadow under the roof
	l.fill(rect(476, 100, 804, 60), func(_, y float64) (rgb, float32) {
		return rgb{0.05, 0.06, 0.12}, float32(0.55 * (1 - clamp01((y-100)/60)))
	})
	doorFrame(l)
	window(l)
	// house number
	l.fill(roundRect(590, 340, 46, 32, 5), flat(hex(0x26323c)))
	number(l, 604, 347)
	// plinth board
	l.fill(rect(476, 560, 804, 16), down(560, 576, hex(0xeee8dc), hex(0xb9b3aa)))
	floor(l)
}

// number of the house, drawn with strokes.
func number(l *layer, x, y float64) {
	c := flat(hex(0xf3dfb0))
	l.stroke(2.6, c, pt{x - 4, y + 3}, pt{x, y}, pt{x, y + 18})
	l.stroke(2.6, c, pt{x + 8, y + 4}, pt{x + 11, y}, pt{x + 16, y}, pt{x + 18, y + 4}, pt{x + 17, y + 8}, pt{x + 8, y + 18}, pt{x + 19, y + 18})
}

func doorFrame(l *layer) {
	cream := across(700, 880, hex(0xf7f1e4), hex(0xdad3c6))
	l.fill(rect(700, 236, 180, 340), cream)
	l.fill((&path{}).move(700, 240).cubic(700, 168, 745, 150, 790, 150).cubic(835, 150, 880, 168, 880, 240), cream)
	l.fill((&path{}).move(718, 240).cubic(718, 182, 755, 166, 790, 166).cubic(825, 166, 862, 182, 862, 240), flat(hex(0x3b2a22)))
	l.fill(roundRect(692, 228, 196, 14, 3), flat(hex(0xfbf6ea)))
	l.fill(rect(716, 246, 148, 330), flat(hex(0x33241d)))
}

func window(l *layer) {
	l.fill(roundRect(948, 232, 220, 220, 4), flat(hex(0xf7f1e4)))
	l.fill(rect(938, 446, 240, 14), down(446, 460, hex(0xfbf6ea), hex(0xc4bdb0)))
	l.fill(roundRect(938, 222, 240, 16, 4), down(222, 238, hex(0xfbf6ea), hex(0xd8d1c4)))
	// shutters
	for _, x := range []float64{894 + 12, 1172 + 8} {
		l.fill(roundRect(x, 236, 34, 214, 3), flat(hex(0x2f5560)))
		for i := range 20 {
			l.fill(rect(x+5, 244+float64(i)*10, 24, 4), flat(hex(0x24444e)))
		}
	}
}

func floor(l *layer) {
	// boards of the porch, seen from a little above
	l.fill(polygon(pt{476, 575}, pt{1280, 575}, pt{1280, 625}, pt{442, 625}), func(x, y float64) (rgb, float32) {
		u := (x - 860) / (0.8 + (y-575)/180)
		in := math.Mod(u+4000, 26) / 26
		c := hex(0xa98563).mix(hex(0x8c6c50), float32((y-575)/50))
		if in > 0.93 {
			c = c.times(0.62)
		}
		return c, 1
	})
	l.fill(rect(442, 622, 838, 10), down(622, 632, hex(0xdcc9ac), hex(0xa8926f)))
	// lattice below
	l.fill(rect(446, 632, 834, 64), flat(hex(0x2a2b35)))
	for x := 380.0; x < 1300; x += 22 {
		l.stroke(4, func(px, _ float64) (rgb, float32) {
			if px < 446 {
				return rgb{}, 0
			}
			return hex(0xcfc6b8), 1
		}, pt{x, 634}, pt{x + 62, 696})
		l.stroke(4, func(px, _ float64) (rgb, float32) {
			if px < 446 {
				return rgb{}, 0
			}
			return hex(0xbdb4a8), 1
		}, pt{x + 62, 634}, pt{x, 696})
	}
	l.fill(rect(442, 632, 838, 6), glass(rgb{0.03, 0.03, 0.06}, 0.45))
	l.fill(rect(442, 690, 838, 8), flat(hex(0xb9ae9f)))
	// steps, from the lowest
	for i, s := range steps[:2] {
		w := 96.0 - float64(i)*48
		l.fill(rect(s.x, s.y+25, w, 693-s.y-25), down(s.y+25, 696, hex(0x8d8577), hex(0x5f5950)))
		l.fill(polygon(pt{s.x + 10, s.y - 25}, pt{s.x + w + 10, s.y - 25}, pt{s.x + w, s.y + 25}, pt{s.x, s.y + 25}), down(s.y-25, s.y+25, hex(0x9c7c5e), hex(0xb4926f)))
		l.fill(rect(s.x-3, s.y+22, w+3, 7), flat(hex(0xd9c6a8)))
		l.fill(polygon(pt{s.x + 10, s.y - 25}, pt{s.x + 14, s.y - 25}, pt{s.x + 3, s.y + 25}, pt{s.x - 3, s.y + 25}), flat(hex(0xd9c6a8)))
	}
	// door mat
	l.fill(polygon(pt{724, 580}, pt{860, 580}, pt{872, 606}, pt{712, 606}), func(x, y float64) (rgb, float32) {
		if x < 730 || x > 856 || y < 583 || y > 603 {
			return hex(0x2d3a3a), 1
		}
		return hex(0x7d6a4a), 1
	})
}

// doorLeaf draws the leaf, hinged at its right; open goes from 0 to 1.
func doorLeaf(l *layer, open float64) {
	ang := open * 1.25
	left := 859 - 138*math.Cos(ang)
	in := 14 * math.Sin(ang) // the free edge goes back into the hall
	corner := func(u, v float64) pt {
		x := lerp(left, 859, u)
		top, bottom := lerp(249+in, 249, u), lerp(575-in*0.8, 575, u)
		return pt{x, lerp(top, bottom, v)}
	}
	quad := func(u0, v0, u1, v1 float64) *path {
		return polygon(corner(u0, v0), corner(u1, v0), corner(u1, v1), corner(u0, v1))
	}
	dim := float32(1 - 0.45*open)
	red := func(c uint32) paint { return flat(hex(c).times(dim)) }
	l.fill(quad(0, 0, 1, 1), down(249, 575, hex(0xb8463a).times(dim), hex(0x97342c).times(dim)))
	for _, v := range [][2]float64{{0.50, 0.68}, {0.74, 0.93}} {
		for _, u := range [][2]float64{{0.12, 0.46}, {0.54, 0.88}} {
			l.fill(quad(u[0], v[0], u[1], v[1]), red(0x7a2822))
			l.fill(quad(u[0]+0.03, v[0]+0.014, u[1], v[1]), red(0xc4554a))
			l.fill(quad(u[0]+0.03, v[0]+0.014, u[1]-0.03, v[1]-0.014), red(0xa73d33))
		}
	}
	// the upper panel, with the wreath
	l.fill(quad(0.12, 0.07, 0.88, 0.44), red(0x7a2822))
	l.fill(quad(0.15, 0.084, 0.88, 0.44), red(0xc4554a))
	l.fill(quad(0.15, 0.084, 0.85, 0.426), red(0xa73d33))
	wreath(l, corner(0.5, 0.255), math.Cos(ang), dim)
	k := corner(0.085, 0.55)
	l.fill(ellipse(k.x, k.y, 6*math.Cos(ang)+1, 6.5), ball(k.x-2, k.y-2, 8, hex(0xffe9a8), hex(0x9c7426)))
	l.fill(quad(0.2, 0.955, 0.8, 0.985), red(0xb08d3f))
}

func wreath(l *layer, c pt, squeeze float64, dim float32) {
	r := rand.New(rand.NewPCG(21, 4))
	for i := range 64 {
		a := float64(i)/64*2*math.Pi + r.Float64()*0.1
		d := 33 + r.Float64()*9 - 4.5
		x, y := c.x+math.Cos(a)*d*squeeze, c.y+math.Sin(a)*d
		x2, y2 := c.x+math.Cos(a+0.35)*(d+r.Float64()*8-3)*squeeze, c.y+math.Sin(a+0.35)*(d+r.Float64()*8-3)
		l.fill(limb(pt{x, y}, pt{x2, y2}, 4.4, 1.6), flat(hex(0x3f6b45).mix(hex(0x7fa05e), float32(r.Float64())).times(dim)))
	}
	for i := range 9 {
		a := float64(i)/9*2*math.Pi + 0.3
		x, y := c.x+math.Cos(a)*34*squeeze, c.y+math.Sin(a)*34
		l.fill(ellipse(x, y, 4*squeeze+0.5, 4), flat(hex(0xe8b23a).times(dim)))
	}
	y := c.y + 36
	for _, s := range []float64{-1, 1} {
		l.fill(spline(pt{c.x, y}, pt{c.x + s*20*squeeze, y - 11}, pt{c.x + s*24*squeeze, y + 6}), flat(hex(0xf2e4c9).times(dim)))
		l.fill(polygon(pt{c.x, y}, pt{c.x + s*6*squeeze, y + 26}, pt{c.x + s*16*squeeze, y + 22}), flat(hex(0xe2d0b0).times(dim)))
	}
	l.fill(ellipse(c.x, y, 5*squeeze+0.5, 5), flat(hex(0xfff4dc).times(dim)))
}
