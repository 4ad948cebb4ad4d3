package files

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Disk is where files and variables come from.
type Disk interface {
	// Read gives a file's bytes, at most one more than tree.MaxFile.
	Read(path string) ([]byte, error)
	// Glob lists the files that a pattern means, in order, and counts the names that it
	// looked at; past most of them it ends with errManyNames.
	Glob(pattern string, most int) (found []string, looked int, err error)
	Mode(path string) (fs.FileMode, error)
	Env(name string) (string, bool)
}

// OS is the machine's own.
type OS struct{}

var errNoFile = errors.New("it is not a file")

// Read never waits, whatever stands in the file's place.
func (OS) Read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || made(f) {
		return nil, errNoFile
	}
	return io.ReadAll(io.LimitReader(f, tree.MaxFile+1))
}

// Mode follows links.
func (OS) Mode(path string) (fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// Env is the process's.
func (OS) Env(name string) (string, bool) { return os.LookupEnv(name) }

// Kept is a set of files that was put away: nothing else is there.
type Kept struct {
	Files map[string][]byte
	Vars  map[string]string
}

// Read gives what was kept.
func (k Kept) Read(path string) ([]byte, error) {
	b, ok := k.Files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return b, nil
}

// Glob looks among what was kept.
func (k Kept) Glob(pattern string, _ int) ([]string, int, error) {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(k.Files)) {
		ok, err := filepath.Match(pattern, path)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			out = append(out, path)
		}
	}
	return out, 0, nil // these few cost nothing
}

// Mode is its owner's only.
func (k Kept) Mode(string) (fs.FileMode, error) { return 0o600, nil }

// Env gives what was kept.
func (k Kept) Env(name string) (string, bool) {
	v, ok := k.Vars[name]
	return v, ok
}
