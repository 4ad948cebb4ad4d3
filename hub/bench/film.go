package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// film is one that the cameras of a run show in a loop.
type film struct {
	name string
	gop  int // seconds between key frames
	path string
}

// films are made once a run: 25 pictures a second of 4 Mb/s at 1920x1080, one slice a
// picture, with a key frame each 1, 4 and 10 s. A quick run has small ones.
func (b *bench) makeFilms() ([]film, error) {
	size, rate := "1920x1080", "4M"
	if b.quick {
		size, rate = "640x360", "1M"
	}
	var out []film
	for _, gop := range []int{1, 4, 10} {
		f := film{name: fmt.Sprintf("%ds", gop), gop: gop, path: filepath.Join(b.dir, fmt.Sprintf("film%d.h264", gop))}
		keys := fmt.Sprintf("keyint=%[1]d:min-keyint=%[1]d:scenecut=0:bframes=0:sliced-threads=0:repeat-headers=1", gop*25)
		cmd := exec.CommandContext(b.ctx, "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=rate=25:size="+size, "-t", fmt.Sprint(8+gop/4*2),
			"-vf", "noise=c0s=12:c0f=t", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
			"-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", keys, "-f", "h264", f.path)
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("film: ffmpeg: %w\n%s", err, text)
		}
		out = append(out, f)
	}
	return out, nil
}
