//go:build loop

package main

import "math"

// look is how somebody is dressed.
type look struct {
	skin, hair, coat, coatDark, legs, legsDark, boots, accent rgb
	cap, bun                                                  bool
}

var courier = look{
	skin: hex(0xd99a6c), hair: hex(0x3a2a22), coat: hex(0xf0b43c), coatDark: hex(0xc98a24), legs: hex(0x42557d),
	legsDark: hex(0x2f3d5e), boots: hex(0x5a3a28), accent: hex(0x2f9a9a), cap: true,
}

var grandmother = look{
	skin: hex(0xe9b894), hair: hex(0xf1eef0), coat: hex(0xa987c9), coatDark: hex(0x8463a6), legs: hex(0x5b6f86),
	legsDark: hex(0x465769), boots: hex(0x8f4a4a), accent: hex(0xfff0da), bun: true,
}

// Lengths in pixels of a grown person, 285 tall.
const (
	thigh, shin = 69.0, 70.0
	upper, fore = 50.0, 48.0
	torso       = 92.0
	stride      = 186.0 // two steps
	stance      = 0.6   // part of a cycle during which a foot stands
	hipHeight   = 133.0
	footHeight  = 8.0
)

// pose of one person in one frame. Lengths are local, as if facing right.
type pose struct {
	x, base float64 // where they stand
	face    float64 // 1 right, -1 left, between while turning
	travel  float64 // pixels walked so far: drives the legs
	walk    float64 // 0 stands, 1 walks
	crouch  float64
	lean    float64
	ground  func(x float64) float64
	near    *pt // where the near hand is, in the world; nil: it swings
	far     *pt
	look    float64 // head turned up or down, radians
	blink   bool
}

func groundAt(x float64) float64 {
	y := groundY
	for _, s := range steps {
		if x > s.x+4 {
			y = s.y
		}
	}
	return y
}

// slope is the ground as the hip feels it.
func slope(x float64) float64 { return lerp(groundY, floorY, clamp01((x-322)/(442-322))) }

// joint gives the knee or elbow between two ends; bend says to which side.
func joint(a, b pt, la, lb, bend float64) (mid, end pt) {
	d := b.sub(a)
	n := math.Min(d.length(), la+lb-0.5)
	n = math.Max(n, math.Abs(la-lb)+0.5)
	dir := d.scale(1 / math.Max(d.length(), 1e-6))
	end = a.add(dir.scale(n))
	ca := (la*la + n*n - lb*lb) / (2 * la * n)
	h := la * math.Sqrt(math.Max(0, 1-ca*ca)) * bend
	return a.add(dir.scale(la * ca)).add(pt{-dir.y, dir.x}.scale(h)), end
}

// foot of a leg, local x and world y, and how far the toe hangs.
func (p *pose) foot(offset float64) (pt, float64) {
	side := 1.0
	if p.face < 0 {
		side = -1
	}
	c := math.Mod(p.travel/stride+offset+8, 1)
	rest := pt{(offset-0.25)*26 + 2, p.ground(p.x)}
	var f pt
	var toe float64
	half := stride * stance / 2
	if c < stance {
		rel := half * (1 - 2*c/stance)
		f = pt{rel, p.ground(p.x + side*rel)}
		toe = 0.9 * ramp(c, stance*0.72, stance)
	} else {
		u := (c - stance) / (1 - stance)
		back := (c - stance) * stride
		x0 := p.x - side*(back+half)
		x1 := p.x - side*back + side*((1-stance)*stride+half)
		e := smooth(u)
		f = pt{lerp(-half, half, u), lerp(p.ground(x0), p.ground(x1), e) - 22*math.Sin(math.Pi*u)}
		toe = 0.9*(1-u)*(1-u) - 0.35*math.Sin(math.Pi*u)
	}
	return mixPt(rest, f, p.walk), toe * p.walk
}

// draw paints somebody; hold paints what they carry, between the two arms.
func (k look) draw(l *layer, p pose, hold func()) {
	f := p.face
	if math.Abs(f) < 0.3 {
		f = math.Copysign(0.3, f)
	}
	at := func(q pt) pt { return pt{p.x + f*q.x, q.y} }
	bend := 1.0
	if f < 0 {
		bend = -1
	}
	bob := 4 * math.Cos(4*math.Pi*p.travel/stride) * p.walk
	hip := pt{-22 * p.crouch, p.base - hipHeight + 70*p.crouch - bob + 10*p.walk}
	tilt := p.lean + 0.75*p.crouch + 0.06*p.walk
	up := pt{math.Sin(tilt), -math.Cos(tilt)}
	fwd := pt{math.Cos(tilt), math.Sin(tilt)}
	neck := hip.add(up.scale(torso))
	shoulder := hip.add(up.scale(torso - 12))

	arm := func(hand *pt, swing float64, coat rgb, width float64) {
		sh := at(shoulder)
		var target pt
		if hand != nil {
			target = *hand
		} else {
			a := swing + tilt*0.4
			target = at(shoulder.add(pt{math.Sin(a), math.Cos(a)}.scale(upper + fore - 6)).add(pt{6, 0}))
		}
		el, end := joint(sh, target, upper, fore, bend)
		l.fill(limb(sh, el, width, width*0.84), flat(coat))
		l.fill(limb(el, end, width*0.84, width*0.66), flat(coat))
		hd := end.add(end.sub(el).scale(7 / fore))
		l.fill(ellipse(hd.x, hd.y, 7.4, 7.4), flat(k.skin))
	}
	leg := func(offset float64, c rgb) {
		ft, toe := p.foot(offset)
		h := at(hip)
		ankle := pt{ft.x - 6*math.Sin(toe), ft.y - footHeight - 12*math.Max(0, math.Sin(toe))}
		kn, end := joint(h, at(ankle), thigh, shin, -bend)
		l.fill(limb(h, kn, 19, 14), flat(c))
		l.fill(limb(kn, end, 14, 10.5), flat(c))
		ct, st := math.Cos(toe), math.Sin(toe)
		boot := func(x, y float64) pt { return pt{end.x + f*(x*ct-y*st), end.y + x*st + y*ct} }
		l.fill(limb(boot(-3, 1), boot(18, 4), 9, 6.5), flat(k.boots))
		l.fill(limb(boot(-2, -8), boot(-2, 0), 10.5, 10), flat(k.boots))
	}
	swing := 0.62 * math.Sin(2*math.Pi*p.travel/stride+math.Pi*0.1) * p.walk

	arm(p.far, swing, k.coatDark, 13)
	leg(0.5, k.legsDark)
	leg(0, k.legs)
	k.torso(l, at, hip, up, fwd)
	k.head(l, at, neck, tilt*0.35+p.look, p.blink)
	if hold != nil {
		hold()
	}
	arm(p.near, -swing, k.coat.mix(k.coatDark, 0.18), 14)
}

func (k look) torso(l *layer, at func(pt) pt, hip, up, fwd pt) {
	q := func(u, s float64) pt { return at(hip.add(up.scale(u)).add(fwd.scale(s))) }
	shade := across(q(40, -30).x, q(40, 30).x, k.coatDark, k.coat)
	l.fill(spline(q(-16, -23), q(20, -22), q(62, -25), q(88, -17), q(94, 0), q(88, 15), q(60, 22), q(20, 22), q(-16, 24)), shade)
	l.stroke(2, flat(k.coatDark.times(0.8)), q(-14, 9), q(40, 12), q(82, 8))
	l.stroke(2.4, flat(k.coatDark.times(0.8)), q(14, -12), q(16, 4))
	// scarf or collar
	l.fill(limb(q(92, -11), q(90, 14), 10, 9), flat(k.accent))
	if k.cap {
		l.fill(limb(q(90, -10), q(60, -17), 8, 6), flat(k.accent.times(0.85)))
	}
}

func (k look) head(l *layer, at func(pt) pt, neck pt, nod float64, blink bool) {
	c := neck.add(pt{5 + 18*math.Sin(nod), -32 + 4*math.Abs(nod)})
	q := func(x, y float64) pt {
		return at(pt{c.x + x*math.Cos(nod) - y*math.Sin(nod), c.y + x*math.Sin(nod) + y*math.Cos(nod)})
	}
	dot := func(x, y, r float64, col rgb) { p := q(x, y); l.fill(ellipse(p.x, p.y, r, r), flat(col)) }
	l.fill(limb(at(neck), q(-2, 16), 10, 11), flat(k.skin.times(0.85)))
	// hair behind
	l.fill(spline(q(-26, -4), q(-22, -22), q(0, -29), q(20, -20), q(10, 4), q(-12, 17), q(-23, 12)), flat(k.hair))
	l.fill(spline(q(-16, 0), q(-12, -20), q(6, -25), q(22, -15), q(24, 0), q(21, 16), q(8, 24), q(-8, 17)), flat(k.skin))
	l.fill(spline(q(22, -3), q(30, 6), q(23, 9)), flat(k.skin)) // nose
	dot(-6, 3, 5, k.skin.times(0.88))                           // ear
	if blink {
		l.stroke(2, flat(hex(0x2a1c18)), q(11, -3), q(17, -3))
	} else {
		dot(14, -3, 2.5, hex(0x2a1c18))
	}
	l.stroke(2, flat(k.hair.times(0.8)), q(9, -10), q(18, -10))
	l.stroke(2.2, flat(hex(0x9a4f3f)), q(12, 13), q(17, 14), q(21, 11))
	p := q(9, 8)
	l.fill(ellipse(p.x, p.y, 5, 4), glass(hex(0xe8705a), 0.35))
	switch {
	case k.cap:
		l.fill(spline(q(-25, -6), q(-24, -24), q(-4, -36), q(18, -28), q(25, -11), q(0, -14)), flat(k.accent))
		l.fill(limb(q(16, -13), q(38, -9), 4.5, 3), flat(k.accent.times(0.75)))
		dot(0, -34, 3, k.accent.times(0.75))
	case k.bun:
		dot(-20, -24, 12, k.hair)
		l.fill(spline(q(-24, 2), q(-22, -20), q(0, -30), q(22, -19), q(18, -13), q(2, -15), q(-10, -4), q(-14, 8)), flat(k.hair))
		g := hex(0x54405a)
		for i := range 16 {
			a, b := float64(i)/16*2*math.Pi, float64(i+1)/16*2*math.Pi
			l.stroke(1.8, flat(g), q(14+6.5*math.Cos(a), -2+6.5*math.Sin(a)), q(14+6.5*math.Cos(b), -2+6.5*math.Sin(b)))
		}
		l.stroke(1.8, flat(g), q(7, -3), q(-6, -1))
	}
}

// parcel, seen a little from above; x is its middle, y its underside.
func parcel(l *layer, x, y float64) {
	const w, h, d = 68.0, 44.0, 13.0
	l.fill(rect(x-w/2, y-h, w, h), down(y-h, y, hex(0xd9a066), hex(0xb57c45)))
	l.fill(polygon(pt{x - w/2, y - h}, pt{x - w/2 + 9, y - h - d}, pt{x + w/2 - 4, y - h - d}, pt{x + w/2, y - h}), flat(hex(0xecbf88)))
	l.fill(polygon(pt{x - 7, y - h}, pt{x - 2, y - h - d}, pt{x + 9, y - h - d}, pt{x + 7, y - h}), flat(hex(0xf6e0b8)))
	l.fill(rect(x-7, y-h, 14, 15), flat(hex(0xe8cc9c)))
	l.fill(roundRect(x-w/2+7, y-22, 22, 14, 2), flat(hex(0xfff8ea)))
	for i := range 3 {
		l.stroke(1.6, flat(hex(0x8a7a66)), pt{x - w/2 + 10, y - 18 + float64(i)*3.4}, pt{x - w/2 + 24 - float64(i)*4, y - 18 + float64(i)*3.4})
	}
	heart := hex(0xd0453d)
	l.fill(polygon(pt{x + 14, y - 14}, pt{x + 21, y - 6}, pt{x + 28, y - 14}), flat(heart))
	l.fill(ellipse(x+17.6, y-15, 4, 4), flat(heart))
	l.fill(ellipse(x+24.4, y-15, 4, 4), flat(heart))
}
