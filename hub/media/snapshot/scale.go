package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"time"

	"golang.org/x/image/draw"
)

const (
	quality = 82
	// maxSmaller sizes of one picture are kept; pages ask for two or three.
	maxSmaller = 8
	// maxDecoded is how many pixels are taken apart at a time, in all pictures together.
	// A progressive JPEG takes up to 15 bytes for each: a quarter of a gigabyte.
	maxDecoded = 16 << 20
	// scaleTime is what one picture gets, many times what the largest needs.
	scaleTime = 10 * time.Second
)

// fit makes img smaller where the request bounds it.
func (s *Store) fit(ctx context.Context, name string, img Image, r Want) (Image, error) {
	w, h := within(img.Width, img.Height, r.Width, r.Height)
	if w == img.Width && h == img.Height {
		return img, nil
	}
	size := [2]int{w, h}
	s.mu.Lock()
	c := s.camera(name)
	done, ok := c.smaller[size]
	ok = ok && c.image.Received.Equal(img.Received)
	s.mu.Unlock()
	if ok {
		return done, nil
	}
	out, err := s.shrink(ctx, img, r.Width, r.Height)
	if err != nil {
		return Image{}, fmt.Errorf("camera %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.image.Received.Equal(img.Received) && len(c.smaller) < maxSmaller {
		if c.smaller == nil {
			c.smaller = make(map[[2]int]Image)
		}
		c.smaller[size] = out
	}
	return out, nil
}

// shrink makes img smaller to fit the bounds, unless it is so big that it is left whole.
func (s *Store) shrink(ctx context.Context, img Image, maxW, maxH int) (Image, error) {
	w, h := within(img.Width, img.Height, maxW, maxH)
	pixels := int64(img.Width) * int64(img.Height)
	if w == img.Width && h == img.Height || pixels > maxDecoded {
		return img, nil // to take it apart would take more memory than small machines have
	}
	if err := s.work.Acquire(ctx, pixels); err != nil {
		return Image{}, fmt.Errorf("snapshot: %w", err)
	}
	defer s.work.Release(pixels)
	ctx, cancel := context.WithTimeout(ctx, scaleTime)
	defer cancel()
	b, err := scale(ctx, img.JPEG, w, h)
	if err != nil {
		return Image{}, err
	}
	img.JPEG, img.Width, img.Height = b, w, h
	return img, nil
}

// within is w x h made smaller to fit the bounds, of which 0 does not bind.
func within(w, h, maxW, maxH int) (int, int) {
	f := 1.0
	if maxW > 0 {
		f = min(f, float64(maxW)/float64(w))
	}
	if maxH > 0 {
		f = min(f, float64(maxH)/float64(h))
	}
	if f == 1 {
		return w, h
	}
	return max(1, int(float64(w)*f+0.5)), max(1, int(float64(h)*f+0.5))
}

// cautious ends a decoder that works too long: a progressive JPEG of a few MB can hold
// so many scans of the whole picture that it takes minutes.
type cautious struct {
	ctx context.Context
	r   io.Reader
}

func (c cautious) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p[:min(len(p), 512)])
}

func scale(ctx context.Context, b []byte, w, h int) ([]byte, error) {
	src, err := jpeg.Decode(cautious{ctx, bytes.NewReader(b)})
	if err != nil {
		return nil, fmt.Errorf("snapshot: decode: %w", err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("snapshot: encode: %w", err)
	}
	return out.Bytes(), nil
}
