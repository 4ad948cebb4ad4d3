package still

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// maxLine and maxLines of what ffmpeg writes in front of a frame; it needs four of 30 bytes.
	maxLine  = 256
	maxLines = 16
)

// frames reads what ffmpeg puts out: frames of raw video, each behind its length in the
// manner of multipart/x-mixed-replace. Raw frames alone would say nothing of their size.
type frames struct{ r *bufio.Reader }

func newFrames(r io.Reader) *frames { return &frames{bufio.NewReaderSize(r, 64<<10)} }

// next is the length of the frame whose bytes follow.
func (f *frames) next() (int, error) {
	size := -1
	for range maxLines {
		line, err := f.line()
		if err != nil {
			return 0, err
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case ok && strings.EqualFold(name, "content-length"):
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || n < 1 || n > planes(1, maxPixels) {
				return 0, fmt.Errorf("frame of %q bytes", value)
			}
			size = n
		case line == "" && size >= 0:
			return size, nil
		}
	}
	return 0, errors.New("no frame where one should be")
}

func (f *frames) line() (string, error) {
	var b []byte
	for len(b) < maxLine {
		c, err := f.r.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, c)
	}
	return "", errors.New("no frame where one should be")
}

// read fills b with the frame's bytes.
func (f *frames) read(b []byte) error {
	_, err := io.ReadFull(f.r, b)
	return err
}

// skip passes over n bytes.
func (f *frames) skip(n int) error {
	_, err := f.r.Discard(n)
	return err
}
