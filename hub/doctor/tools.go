package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// toolWithin bounds a program that only tells about itself.
	toolWithin = 10 * time.Second
	aptFFmpeg  = "sudo apt install ffmpeg"
	whyFFmpeg  = "still pictures of cameras without a snapshot address of their own are made with it"
)

func checkTools(ctx context.Context, d *Deps) []Finding {
	name := d.FFmpeg
	if name == "" {
		name = "ffmpeg"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return []Finding{{State: Warn, What: name + " is not found", Why: whyFFmpeg, Fix: aptFFmpeg, Code: "E-CONV-NO-FFMPEG"}}
	}
	out, err := tell(ctx, path, "-hide_banner", "-version")
	if err != nil {
		return []Finding{{State: Warn, What: fmt.Sprintf("%s does not run: %v", path, err), Why: whyFFmpeg, Fix: "sudo apt install --reinstall ffmpeg"}}
	}
	version, _, _ := strings.Cut(string(out), " Copyright")
	version = strings.TrimSpace(version)
	if len(version) > 80 || strings.ContainsRune(version, '\n') {
		version = "a program that calls itself something else"
	}
	codecs, err := tell(ctx, path, "-hide_banner", "-codecs")
	if err != nil {
		return []Finding{{State: Warn, What: fmt.Sprintf("%s does not list its codecs: %v", path, err), Why: whyFFmpeg, Fix: "sudo apt install --reinstall ffmpeg"}}
	}
	var lacks []string
	for _, need := range []struct {
		name string
		at   int  // the column of the legend: D decoder, E encoder
		mark byte // D or E
	}{{"h264", 0, 'D'}, {"hevc", 0, 'D'}, {"mjpeg", 1, 'E'}} {
		if !hasCodec(codecs, need.name, need.at, need.mark) {
			lacks = append(lacks, need.name)
		}
	}
	if len(lacks) > 0 {
		return []Finding{{State: Warn, What: fmt.Sprintf("%s (%s) was built without %s", path, version, strings.Join(lacks, ", ")), Why: whyFFmpeg, Fix: aptFFmpeg + " (the system's own has them)"}}
	}
	return []Finding{{State: OK, What: fmt.Sprintf("%s: %s", path, version)}}
}

// hasCodec reads the table of ffmpeg -codecs: six letters, the name, its title.
func hasCodec(table []byte, name string, at int, mark byte) bool {
	for line := range bytes.Lines(table) {
		f := bytes.Fields(line)
		if len(f) > 1 && string(f[1]) == name && len(f[0]) == 6 {
			return f[0][at] == mark
		}
	}
	return false
}

// tell runs a program that prints something about itself and ends.
func tell(ctx context.Context, path string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, toolWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("no answer within %s", toolWithin)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if said := strings.TrimSpace(string(exit.Stderr)); said != "" {
			line, _, _ := strings.Cut(said, "\n")
			return nil, errors.New(line)
		}
	}
	return out, err
}
