//go:build loop

package main

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "draw:", err)
		os.Exit(1)
	}
}

func run() error {
	frames := flag.Bool("frames", false, "write all frames as RGB24 to stdout")
	one := flag.Float64("png", -1, "write the frame of that second as PNG to stdout")
	sound := flag.Bool("sound", false, "write the sound, three times over, as 48 kHz mono s16le to stdout")
	pack := flag.Bool("pack", false, "pack: H264 AAC OPUS OUT (Annex-B, ADTS, Ogg)")
	flag.Parse()
	switch {
	case *sound:
		return writeSound(os.Stdout)
	case *pack:
		return packLoop(flag.Args())
	case *one >= 0:
		return writePNG(*one)
	case *frames:
		s := newScene()
		buf := make([]byte, width*height*3)
		for i := range seconds * fps {
			s.paint(float64(i) / fps).bytes(buf)
			if _, err := os.Stdout.Write(buf); err != nil {
				return err
			}
		}
		return nil
	}
	flag.Usage()
	return fmt.Errorf("nothing to do")
}

func writePNG(t float64) error {
	buf := make([]byte, width*height*3)
	newScene().paint(t).bytes(buf)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.Set(i%width, i/width, color.RGBA{buf[i*3], buf[i*3+1], buf[i*3+2], 255})
	}
	return png.Encode(os.Stdout, img)
}
