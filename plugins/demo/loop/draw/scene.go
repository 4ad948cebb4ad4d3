//go:build loop

package main

import (
	"image"
	"math"
	"math/rand/v2"
)

// The loop lasts 12 s; its last frame leads to its first. What happens when, in seconds:
const (
	seconds = 12
	fps     = 25

	walkIn    = 0.3 // the visitor comes into the picture from the left
	atBell    = 3.6
	pressing  = 4.3 // the finger is on the button
	toMat     = 4.75
	stooping  = 5.15
	putDown   = 5.65 // the parcel stands on the mat
	turning   = 6.15
	leaving   = 6.35
	gone      = 9.35
	opening   = 8.75 // somebody comes to the door
	bending   = 9.55
	taken     = 10.05
	closing   = 10.75
	closed    = 11.45
	startX    = -80.0
	bellStand = 618.0
	matStand  = 662.0
	parcelX   = 746.0
	parcelY   = 603.0
)

// scene holds what is painted once.
type scene struct {
	still         *layer // all that never moves
	front         *layer // column, railing, beam: in front of people
	frame, people *layer
}

func newScene() *scene {
	s := &scene{still: newLayer(), front: newLayer(), frame: newLayer(), people: newLayer()}
	all := image.Rect(0, 0, width, height)
	sky(s.still)
	garden(s.still)
	house := newLayer()
	walls(house)
	lantern(house)
	mailbox(house)
	topiary(house, 556)
	s.still.shadow(556, 592, 60, 12, 0)
	s.still.lit(house, all, 0)
	s.still.shadow(556, 593, 52, 10, 0.5)
	pots := newLayer()
	topiary(pots, 556)
	s.still.lit(pots, all, 0)
	room(s.still)
	s.still.glow(1058, 350, 260, rgb{0.10, 0.06, 0.02})

	roof(s.front)
	stringLights(s.front)
	column(s.front, 452)
	column(s.front, 1196)
	pot(s.front, 906, 612, 66, 52, 0x4f7f86, 0x2e5058)
	leaves(s.front, 906, 540, 38, 30, 150, 61, 0, 0x2f5a3c, 0x86a95f)
	flowers(s.front, 906, 532, 34, 26, 24, 62, 0, 0xf4c95d, 0xf9e2a2, 0xf08a5d)
	railing(s.front, 960, 1196)
	return s
}

func mailbox(l *layer) {
	l.fill(roundRect(590, 402, 46, 34, 6), down(402, 436, hex(0x3f5f52), hex(0x274036)))
	l.fill(rect(590, 410, 46, 3), flat(hex(0x1d3028)))
	l.fill(polygon(pt{598, 402}, pt{604, 388}, pt{626, 392}, pt{624, 402}), flat(hex(0xf3ead6)))
}

// paint makes the frame of that second.
func (s *scene) paint(t float64) *layer {
	f := s.frame
	f.copyFrom(s.still)
	s.stars(f, t)
	open := ramp(t, opening, opening+0.7) * (1 - ramp(t, closing, closed))
	s.doorway(f, t, open)
	turn := 1 - 2*ramp(t, 1.4, 3.2) // the cat looks at whom it hears
	if t > leaving {
		turn = -1 + 2*ramp(t, 7, 7.6)
		turn *= 1 - ramp(t, 11, 11.8)
		turn += ramp(t, 11, 11.8)
	}
	cat(f, math.Sin(2*math.Pi*t/3), turn)
	windowBars(f)
	ring := ramp(t, pressing-0.05, pressing+0.05) * (1 - ramp(t, pressing+1.2, pressing+2.2))
	lanternGlass(f)
	bell(f, ring*(0.7+0.3*math.Cos(2*math.Pi*(t-pressing)*1.5)))

	s.people.clear()
	s.visitor(f, s.people, t)
	f.lit(s.people, image.Rect(0, 0, width, height), open)
	if open > 0 {
		spill(f, open)
	}
	s.people.clear()
	s.people.copyFrom(s.front)
	sway := 3 * math.Sin(2*math.Pi*t/4)
	basket(s.people, 538, sway)
	bed(s.people, 1.6*math.Sin(2*math.Pi*t/6+1))
	f.lit(s.people, image.Rect(0, 0, width, height), open)
	for i, b := range bulbs() {
		k := float32(0.85 + 0.15*math.Sin(2*math.Pi*(t/6+float64(i)*0.37)))
		f.fill(ellipse(b.x, b.y+4, 4.6, 6), flat(hex(0xffe9b0)))
		f.glow(b.x, b.y+4, 26, rgb{0.36, 0.23, 0.08}.times(k))
	}
	moths(f, t)
	fireflies(f, t)
	vignette(f)
	return f
}

func (s *scene) stars(l *layer, t float64) {
	r := rand.New(rand.NewPCG(5, 8))
	for i := range 46 {
		x, y := r.Float64()*450, r.Float64()*280
		if math.Hypot(x-322, y-118) < 50 {
			continue
		}
		k := 0.55 + 0.45*math.Sin(2*math.Pi*(t*float64(1+i%3)/12+float64(i)*0.31))
		b := (0.35 + 0.5*float64(i%5)/4) * k * (1 - y/330)
		l.glow(x+0.5, y+0.5, 1.6+float64(i%3)*0.5, rgb{1, 0.97, 0.9}.times(float32(b*1.6)))
	}
}

// doorway: hall, resident, leaf.
func (s *scene) doorway(f *layer, t, open float64) {
	glow := 0.82
	if t > pressing {
		glow += 0.3 * ramp(t, 7.6, 8.0) * (1 - ramp(t, closed, closed+0.4)) // a light goes on inside
	}
	fan(f, glow)
	inDoor := open > 0.001
	s.people.clear()
	if inDoor {
		hall(f)
		bend := ramp(t, bending-0.45, bending+0.2) * (1 - ramp(t, taken+0.05, taken+0.6))
		hand := pt{752 + 30*(1-bend), lerp(478, parcelY-16, bend)}
		far := pt{hand.x - 4, hand.y}
		has := t >= taken
		x := lerp(796, 786, ramp(t, opening+0.3, bending)) + 14*ramp(t, closing-0.2, closing+0.3)
		p := pose{x: x, base: 588, face: -1, crouch: bend * 0.85, lean: 0.12 * bend, ground: func(float64) float64 { return 588 }, near: &hand, far: &far, look: 0.25 * bend}
		if !has && bend < 0.05 {
			p.near, p.far = nil, nil
		}
		grandmother.draw(s.people, p, func() {
			if has {
				parcel(s.people, hand.x-8, hand.y+18)
			}
		})
		f.lit(s.people, image.Rect(640, 200, 866, 640), open*0.25)
		s.people.clear()
	}
	doorLeaf(s.people, open)
	f.lit(s.people, image.Rect(690, 240, 880, 580), open*0.6)
	if t >= putDown && t < taken {
		f.shadow(parcelX, parcelY, 48, 9, 0.55)
		s.people.clear()
		parcel(s.people, parcelX, parcelY)
		f.lit(s.people, image.Rect(690, 520, 800, 620), open)
	}
}

func (s *scene) visitor(f, l *layer, t float64) {
	if t < walkIn || t > gone {
		return
	}
	p := pose{face: 1, ground: groundAt}
	switch {
	case t < toMat:
		u := (t - walkIn) / (atBell - walkIn)
		p.x = lerp(startX, bellStand, ease(u))
		p.walk = 1 - ramp(t, atBell-0.28, atBell+0.05)
		p.travel = p.x - startX
	case t < turning:
		p.x = lerp(bellStand, matStand, smooth((t-toMat)/(stooping-toMat)))
		p.travel = p.x - startX
		p.walk = 0.8 * math.Sin(math.Pi*clamp01((t-toMat)/(stooping-toMat)))
	default:
		u := clamp01((t - leaving) / (gone - leaving))
		p.x = lerp(matStand, startX, easeOut(u))
		p.face = math.Cos(math.Pi * ramp(t, turning, leaving+0.05))
		p.walk = ramp(t, leaving, leaving+0.3)
		p.travel = matStand - p.x + stride*0.1
	}
	p.base = slope(p.x)
	if t < leaving {
		p.base = math.Max(p.base, floorY)
	}
	p.crouch = ramp(t, stooping-0.1, putDown) * (1 - ramp(t, putDown+0.05, turning))
	p.look = 0.3 * p.crouch
	p.blink = math.Mod(t+0.4, 2.6) < 0.12
	has := t < putDown
	reach := ramp(t, atBell+0.1, pressing) * (1 - ramp(t, pressing+0.2, toMat))
	carry := mixPt(pt{p.x + p.face*44, p.base - 156}, pt{p.x + 20, p.base - 118}, reach)
	down := pt{parcelX - 12, parcelY - 16}
	box := mixPt(carry, down, ramp(t, stooping-0.1, putDown))
	if has {
		far, near := box.add(pt{-2, 2}), box.add(pt{-14, 4})
		far = mixPt(far, box.add(pt{6, 6}), reach)
		near = mixPt(near, pt{bellX - 6, bellY + 7}, reach)
		p.near, p.far = &near, &far
	} else if t < turning {
		k := ramp(t, putDown+0.02, turning-0.02)
		rest := pt{p.x + 12, p.base - 126}
		n, q := mixPt(down, rest, k), mixPt(down.add(pt{8, 0}), rest.add(pt{-12, 0}), k)
		p.near, p.far = &n, &q
	}
	if g := groundAt(p.x); g == floorY || p.x < 330 {
		f.shadow(p.x, p.base+3, 54, 11, 0.42)
	}
	courier.draw(l, p, func() {
		if has {
			parcel(l, box.x+12, box.y+16)
		}
	})
}

// ease walks evenly and stops softly.
func ease(u float64) float64 {
	const soft = 0.12
	u = clamp01(u)
	if u < 1-soft {
		return u / (1 - soft/2)
	}
	v := (u - (1 - soft)) / soft
	return ((1 - soft) + soft*(v-v*v/2)) / (1 - soft/2)
}

func easeOut(u float64) float64 { return 1 - ease(1-u) }

// spill is the light that falls out of the open door on mat and floor.
func spill(l *layer, open float64) {
	left := 800 - 86*open
	l.fill(polygon(pt{left, 578}, pt{816, 578}, pt{838, 625}, pt{left - 60, 625}), func(x, y float64) (rgb, float32) {
		d := clamp01((y - 576) / 60)
		edge := clamp01((x-(left-60*d))/30) * clamp01((816+24*d-x)/20)
		return hex(0xffd48a), float32(0.34 * open * edge * (1 - 0.6*d))
	})
	l.glow(775, 470, 190, rgb{0.14, 0.09, 0.03}.times(float32(open)))
}

func moths(l *layer, t float64) {
	for i := range 3 {
		a := 2*math.Pi*t/12*float64(5+2*i) + float64(i)*2
		x := lampX + math.Cos(a)*(26+10*float64(i)) + 8*math.Sin(3*a)
		y := lampY - 4 + math.Sin(a*2)*(16+6*float64(i))
		w := 1.1 + 0.7*math.Abs(math.Sin(2*math.Pi*t*6+float64(i)))
		l.fill(ellipse(x-w, y, w, 1.4), glass(hex(0xfff0cc), 0.7))
		l.fill(ellipse(x+w, y, w, 1.4), glass(hex(0xfff0cc), 0.7))
	}
}

func fireflies(l *layer, t float64) {
	for i := range 7 {
		p := float64(i) * 1.7
		x := 50 + float64(i)*56 + 22*math.Sin(2*math.Pi*t/12+p)
		y := 560 + 34*math.Sin(2*math.Pi*t/6+p*1.3) + float64(i%3)*34
		k := math.Pow(math.Max(0, math.Sin(2*math.Pi*(t/4+float64(i)*0.29))), 2)
		l.glow(x, y, 13, rgb{0.30, 0.36, 0.08}.times(float32(k)))
		l.glow(x, y, 3.6, rgb{0.8, 0.9, 0.4}.times(float32(k)))
	}
}

// vignette darkens the corners a little, as a lens does.
func vignette(l *layer) {
	for y := range height {
		for x := range width {
			d := math.Hypot(float64(x)/width-0.5, (float64(y)/height-0.48)*0.8) / 0.64
			k := float32(1 - 0.30*smooth((d-0.45)/0.55))
			q := l.pix[(y*width+x)*4:][:3]
			q[0], q[1], q[2] = q[0]*k, q[1]*k, q[2]*k
		}
	}
}
