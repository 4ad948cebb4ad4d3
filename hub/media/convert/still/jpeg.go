package still

import (
	"bytes"
	"image"
	"image/jpeg"
)

// quality of the JPEGs; beyond it they grow and look the same.
const quality = 82

// encode makes a JPEG of planes of 4:2:0 in full range, no bigger than the bounds, of
// which 0 does not bind.
func encode(b []byte, w, h, maxW, maxH int) ([]byte, error) {
	img := &image.YCbCr{SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, w, h), YStride: w, CStride: (w + 1) / 2}
	n, c := w*h, (w+1)/2*((h+1)/2)
	img.Y, img.Cb, img.Cr = b[:n:n], b[n:n+c:n+c], b[n+c:n+2*c]
	if sw, sh := within(w, h, maxW, maxH); sw != w || sh != h {
		img = shrink(img, sw, sh)
	}
	var out bytes.Buffer
	out.Grow(img.Rect.Dx() * img.Rect.Dy() / 8)
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// within is w x h made smaller to fit the bounds.
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

// shrink averages, plane by plane: of a picture made much smaller nothing flickers.
func shrink(src *image.YCbCr, w, h int) *image.YCbCr {
	dst := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	sw, sh := src.Rect.Dx(), src.Rect.Dy()
	average(dst.Y, dst.YStride, w, h, src.Y, src.YStride, sw, sh)
	cw, ch, scw, sch := (w+1)/2, (h+1)/2, (sw+1)/2, (sh+1)/2
	average(dst.Cb, dst.CStride, cw, ch, src.Cb, src.CStride, scw, sch)
	average(dst.Cr, dst.CStride, cw, ch, src.Cr, src.CStride, scw, sch)
	return dst
}

// average makes each pixel of dst the mean of the whole pixels of src under it.
func average(dst []byte, dstStride, w, h int, src []byte, srcStride, sw, sh int) {
	for y := range h {
		y0, y1 := span(y, h, sh)
		for x := range w {
			x0, x1 := span(x, w, sw)
			sum := 0
			for sy := y0; sy < y1; sy++ {
				for _, v := range src[sy*srcStride+x0 : sy*srcStride+x1] {
					sum += int(v)
				}
			}
			n := (x1 - x0) * (y1 - y0)
			dst[y*dstStride+x] = byte((sum + n/2) / n)
		}
	}
}

func span(i, n, of int) (from, to int) {
	from = i * of / n
	return from, max(from+1, (i+1)*of/n)
}
