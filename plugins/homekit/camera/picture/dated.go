package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// maxPixels of a picture that is drawn into; a bigger one is given as it is.
const maxPixels = 9 << 20

// withText is a picture with text on a bar at its lower edge. One that cannot be drawn into
// is given as it is.
func withText(b []byte, text string) []byte {
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPixels/cfg.Height {
		return b
	}
	src, err := jpeg.Decode(&patience{bytes.NewReader(b), time.Now().Add(decodeTime)})
	if err != nil {
		return b
	}
	img := image.NewRGBA(image.Rect(0, 0, cfg.Width, cfg.Height))
	draw.Draw(img, img.Bounds(), src, src.Bounds().Min, draw.Src)
	if err := write(img, text); err != nil {
		return b
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}); err != nil {
		return b
	}
	return out.Bytes()
}

// decodeTime is what a picture gets to be taken apart: a progressive one of a few MB can hold
// so many scans that a decoder is busy for hours.
const decodeTime = time.Second

// patience ends a decoder at the time by which it is to be through.
type patience struct {
	r  io.Reader
	by time.Time
}

var errPatience = errors.New("a picture takes too long")

func (p *patience) Read(b []byte) (int, error) {
	if time.Now().After(p.by) {
		return 0, errPatience
	}
	return p.r.Read(b[:min(len(b), 512)])
}

// write puts text on a dark bar, a fourteenth of the picture high.
func write(img *image.RGBA, text string) error {
	f, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return fmt.Errorf("picture: font: %w", err)
	}
	b := img.Bounds()
	height := max(b.Dy()/14, 12)
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(height) * 0.62, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return fmt.Errorf("picture: font: %w", err)
	}
	defer face.Close()
	bar := image.Rect(b.Min.X, b.Max.Y-height, b.Max.X, b.Max.Y)
	draw.Draw(img, bar, image.NewUniform(color.RGBA{A: 190}), image.Point{}, draw.Over)
	d := font.Drawer{Dst: img, Src: image.White, Face: face}
	x := max((b.Dx()-d.MeasureString(text).Ceil())/2, 2)
	d.Dot = fixed.P(x, b.Max.Y-height*3/10)
	d.DrawString(text)
	return nil
}

// ago says how long ago something was, to a person.
func ago(d time.Duration) string {
	several := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit + " ago"
		}
		return fmt.Sprintf("%d %ss ago", n, unit)
	}
	switch {
	case d < time.Minute:
		return several(max(int(d/time.Second), 1), "second")
	case d < time.Hour:
		return several(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return several(int(d/time.Hour), "hour")
	}
	return several(int(d/(24*time.Hour)), "day")
}
