package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

var errManyNames = errors.New("too many files and folders to look at")

// looking is one walk along a pattern.
type looking struct{ most, looked int }

// Glob means what filepath.Glob means, and stops in time: a pattern such as /*/*/*/*.yaml
// would go through a whole disk.
func (OS) Glob(pattern string, most int) ([]string, int, error) {
	volume := filepath.VolumeName(pattern)
	rest := filepath.ToSlash(pattern[len(volume):])
	found := []string{volume}
	if strings.HasPrefix(rest, "/") {
		found[0] += string(filepath.Separator)
	}
	l := &looking{most: most}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" {
			continue
		}
		if _, err := filepath.Match(part, ""); err != nil {
			return nil, l.looked, err
		}
		var next []string
		for _, dir := range found {
			names, err := l.in(dir, part)
			if err != nil {
				return nil, l.looked, err
			}
			next = append(next, names...)
		}
		found = next
	}
	return found, l.looked, nil
}

// in lists what one part of a pattern means in one folder. What cannot be listed holds
// nothing.
func (l *looking) in(dir, part string) ([]string, error) {
	if !strings.ContainsAny(part, `*?[\`) {
		path := filepath.Join(dir, part)
		if _, err := os.Lstat(path); err != nil {
			return nil, l.count(1)
		}
		return []string{path}, l.count(1)
	}
	if dir == "" {
		dir = "."
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return nil, nil
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	var out []string
	for {
		names, err := f.Readdirnames(256)
		if over := l.count(len(names)); over != nil {
			return nil, over
		}
		for _, name := range names {
			if ok, _ := filepath.Match(part, name); ok { // its form was looked at before
				out = append(out, filepath.Join(dir, name))
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return nil, nil
			}
			slices.Sort(out)
			return out, nil
		}
	}
}

func (l *looking) count(names int) error {
	if l.looked += names; l.looked > l.most {
		return errManyNames
	}
	return nil
}
