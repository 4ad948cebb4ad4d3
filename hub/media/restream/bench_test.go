package restream

import (
	"fmt"
	"io"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// What a picture of 20 KB costs that so many read by TCP, their part of it included.
func BenchmarkPicture(b *testing.B) {
	for _, readers := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			h := newHouse(b, nil)
			w, err := h.core.Stream("front", "main").Begin([]av.Track{track(b)})
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Put(picture(true, 0, 20_000)); err != nil {
				b.Fatal(err)
			}
			const step = 3600
			size := int64(0)
			got := make(chan struct{}, readers) // one word of each for each picture
			for i := range readers {
				p := dial(b, h)
				p.watch("front/main", false, 0)
				if i == 0 {
					f := h.take(feed.Source{Camera: "front", Stream: "main"})
					out, _ := f.Packers()[0].Append(nil, picture(false, 0, 20_000), 0)
					h.release(f)
					size = int64(len(out))
				}
				for p.frames.Load() < 1 {
					if err := p.frame(); err != nil {
						b.Fatal(err)
					}
				}
				go func() {
					buf := make([]byte, size)
					for {
						if _, err := io.ReadFull(p.in, buf); err != nil {
							return
						}
						got <- struct{}{}
					}
				}()
			}
			at := int64(0)
			b.SetBytes(size)
			for b.Loop() {
				at += step
				if err := w.Put(picture(false, at, 20_000)); err != nil {
					b.Fatal(err)
				}
				for range readers {
					<-got
				}
			}
		})
	}
}
