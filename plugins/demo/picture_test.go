package demo

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"testing"
	"time"
)

func testPictures(t *testing.T) *pictures {
	t.Helper()
	f, err := readFilm(loopFile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPictures(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// different counts the points of a part that differ clearly.
func different(a, b image.Image, part image.Rectangle) int {
	n := 0
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r1, _, _, _ := a.At(x, y).RGBA()
			r2, _, _, _ := b.At(x, y).RGBA()
			if d := int(r1>>8) - int(r2>>8); d > 60 || d < -60 {
				n++
			}
		}
	}
	return n
}

func TestTheClockIsDrawnIn(t *testing.T) {
	p := testPictures(t)
	s := scene{at: 4 * time.Second, caption: "Front door", time: time.Date(2026, 3, 1, 18, 30, 5, 0, time.UTC)}
	first, err := p.draw(s, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.time = s.time.Add(3 * time.Second)
	second, err := p.draw(s, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := decode(t, first.JPEG), decode(t, second.JPEG)
	clock := image.Rect(0, 325, 640, 360)
	if n := different(a, b, clock); n < 5 || n > 400 {
		t.Errorf("three seconds change %d points of the clock", n)
	}
	if n := different(a, b, image.Rect(0, 0, 640, 320)); n != 0 {
		t.Errorf("and %d points elsewhere", n)
	}
	s.notes = []string{"heard 2.0 s, level -18 dB"}
	third, err := p.draw(s, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := different(b, decode(t, third.JPEG), image.Rect(0, 300, 640, 326)); n < 100 {
		t.Errorf("the note changes %d points", n)
	}
	if f := os.Getenv("DEMO_PICTURE"); f != "" { // for a person to look at
		if err := os.WriteFile(f, third.JPEG, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSizes(t *testing.T) {
	p := testPictures(t)
	for _, c := range []struct{ w, h, wantW, wantH int }{{0, 0, 640, 360}, {320, 0, 320, 180}, {0, 90, 160, 90}, {4000, 3000, 640, 360}, {1, 1, 1, 1}, {320, 90, 160, 90}} {
		img, err := p.draw(scene{}, c.w, c.h)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, img.JPEG).Bounds(); got.Dx() != c.wantW || got.Dy() != c.wantH || img.Width != c.wantW || img.Height != c.wantH {
			t.Errorf("%dx%d asked: got %v, want %dx%d", c.w, c.h, got, c.wantW, c.wantH)
		}
	}
}

func BenchmarkPicture(b *testing.B) {
	f, err := readFilm(loopFile)
	if err != nil {
		b.Fatal(err)
	}
	p, err := newPictures(f)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.draw(scene{caption: "Front door"}, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}
