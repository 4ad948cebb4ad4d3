package demo

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"sync"
	"time"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/porchlight-hub/porchlight/sdk"
)

const (
	jpegQuality = 82
	// fontSize in pixels, of pictures 360 high.
	fontSize = 15.0
)

// scene is what stands in one picture.
type scene struct {
	at      time.Duration // place in the film
	caption string
	time    time.Time
	notes   []string // more lines; empty ones are none
	grey    bool     // night vision sees no colour
	lit     bool     // the indicator light, a dot in the corner
}

// pictures draws JPEGs: the film's own stills with a clock on them. There is no
// decoder for the film itself, so the stills are embedded too.
type pictures struct {
	film *film

	mu    sync.Mutex // a face keeps its glyphs and is for one goroutine
	face  font.Face
	still int // number of the one in ground; -1: none
	// ground is a decoded still, kept since several cameras and seconds use it.
	ground *image.RGBA
}

func newPictures(f *film) (*pictures, error) {
	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("picture: font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("picture: font: %w", err)
	}
	return &pictures{film: f, face: face, still: -1}, nil
}

// draw makes a JPEG that fits in width and height (0: as large as it is) and keeps its shape.
func (p *pictures) draw(s scene, width, height int) (sdk.Image, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	img, err := p.canvas(s.at)
	if err != nil {
		return sdk.Image{}, err
	}
	lines := []string{s.caption + "   " + s.time.Format("2006-01-02 15:04:05")}
	for _, n := range s.notes {
		if n != "" {
			lines = append(lines, n)
		}
	}
	if s.grey {
		fade(img)
	}
	if s.lit {
		draw.Draw(img, image.Rect(img.Rect.Dx()-20, 8, img.Rect.Dx()-8, 20), image.NewUniform(color.RGBA{0x20, 0x90, 0xff, 0xff}), image.Point{}, draw.Src)
	}
	for i, line := range lines {
		p.text(img, line, img.Rect.Dy()-14-24*i)
	}
	var final image.Image = img
	if w, h := fit(img.Rect.Dx(), img.Rect.Dy(), width, height); w != img.Rect.Dx() {
		small := image.NewRGBA(image.Rect(0, 0, w, h))
		xdraw.ApproxBiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
		final = small
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, final, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return sdk.Image{}, fmt.Errorf("picture: encode: %w", err)
	}
	return sdk.Image{JPEG: b.Bytes(), Taken: s.time, Width: final.Bounds().Dx(), Height: final.Bounds().Dy()}, nil
}

// canvas is a fresh copy of the still of that moment.
func (p *pictures) canvas(at time.Duration) (*image.RGBA, error) {
	n := int(at/time.Second) % len(p.film.pictures)
	if n != p.still {
		src, err := jpeg.Decode(bytes.NewReader(p.film.pictures[n]))
		if err != nil {
			return nil, fmt.Errorf("picture: still %d: %w", n, err)
		}
		p.ground, p.still = image.NewRGBA(src.Bounds()), n
		draw.Draw(p.ground, p.ground.Rect, src, src.Bounds().Min, draw.Src)
	}
	out := image.NewRGBA(p.ground.Rect)
	copy(out.Pix, p.ground.Pix)
	return out, nil
}

// fade takes the colour out, by the weights of ITU-R BT.601.
func fade(img *image.RGBA) {
	for i := 0; i+3 < len(img.Pix); i += 4 {
		y := uint8((299*int(img.Pix[i]) + 587*int(img.Pix[i+1]) + 114*int(img.Pix[i+2])) / 1000)
		img.Pix[i], img.Pix[i+1], img.Pix[i+2] = y, y, y
	}
}

// text writes a line on a dark band that grows with it.
func (p *pictures) text(img *image.RGBA, line string, baseline int) {
	d := font.Drawer{Dst: img, Src: image.White, Face: p.face}
	wide := d.MeasureString(line).Ceil()
	band := image.Rect(8, baseline-16, min(8+wide+16, img.Rect.Dx()-8), baseline+6)
	draw.Draw(img, band, image.NewUniform(color.RGBA{0, 0, 0, 140}), image.Point{}, draw.Over)
	d.Dst = img.SubImage(band).(draw.Image)
	d.Dot = fixed.P(16, baseline)
	d.DrawString(line)
}

// fit shrinks w x h into the limits; it never enlarges.
func fit(w, h, maxW, maxH int) (int, int) {
	if maxW > 0 && w > maxW {
		w, h = maxW, max(1, h*maxW/w)
	}
	if maxH > 0 && h > maxH {
		w, h = max(1, w*maxH/h), maxH
	}
	return w, h
}
