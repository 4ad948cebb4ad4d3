package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// make builds frames with a bar code
func newFilm(w, h, gop int) [][]byte {
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", fmt.Sprintf("%dx%d", w, h), "-r", "25", "-i", "-",
		"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "high", "-pix_fmt", "yuv420p", "-b:v", "4M", "-maxrate", "5M", "-bufsize", "4M", "-g", fmt.Sprint(gop), "-x264-params", "aud=1:scenecut=0:sliced-threads=0:threads=1", "-f", "h264", "-")
	in, _ := cmd.StdinPipe()
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	go func() {
		buf := bytes.Repeat([]byte{0}, w*h)
		noise := bytes.Repeat([]byte{0}, w*h)
		for i := range noise {
			noise[i] = byte(rand.IntN(120) + 60)
		}
		for n := range 500 {
			copy(buf, noise[(n*37)%w:])
			for y := 0; y < h/45; y++ {
				for x := range w {
					b := byte(16)
					if n>>(x*16/w)&1 == 1 {
						b = 235
					}
					buf[y*w+x] = b
				}
			}
			in.Write(buf)
		}
		in.Close()
	}()
	if err := cmd.Wait(); err != nil {
		panic(err)
	}
	var units [][]byte
	var cur []byte
	for _, nal := range av.SplitAnnexB(out.Bytes()) {
		if nal[0]&0x1f == 9 && len(cur) > 0 {
			units = append(units, cur)
			cur = nil
		}
		cur = append(append(cur, 0, 0, 0, 1), nal...)
	}
	units = append(units, cur)
	fmt.Println("film", len(units), out.Len())
	return units
}
