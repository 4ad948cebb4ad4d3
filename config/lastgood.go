package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/config/files"
)

// lastGoodName is the file in data_dir/last-good that holds the configuration
// that last worked: the main file's very bytes, then one comment line that says where
// they came from and holds what else belongs to it. Secrets are among that: what last
// worked must work while secrets.yaml is broken.
const lastGoodName = "porchlight.yaml"

const lastGoodMark = "\n# porchlight-last-good: "

// ErrNoLastGood says that no configuration was kept yet.
var ErrNoLastGood = errors.New("config: last good: none was kept")

type lastGood struct {
	File  string            `json:"file"`
	Saved time.Time         `json:"saved"`
	More  map[string]string `json:"more,omitempty"` // the other files by path; all are UTF-8
	Vars  map[string]string `json:"vars,omitempty"` // what env:// stood for
}

// SaveLastGood keeps the bytes that c was read from in dir, readable by the hub's user
// only. The file is replaced as a whole: a power cut leaves the old or the new.
func SaveLastGood(dir string, c *Config) error {
	file, err := filepath.Abs(c.file)
	if err != nil {
		return fmt.Errorf("config: last good: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("config: last good: %w", err)
	}
	kept := lastGood{File: file, Saved: time.Now().UTC().Truncate(time.Second), More: map[string]string{}, Vars: c.set.Vars}
	for _, f := range c.set.Files[1:] {
		path, err := filepath.Abs(f.Path)
		if err != nil {
			return fmt.Errorf("config: last good: %w", err)
		}
		kept.More[path] = string(f.Src)
	}
	meta := marshal(kept)
	content := bytes.Join([][]byte{c.Source(), []byte(lastGoodMark), meta, []byte("\n")}, nil)
	if err := replaceFile(dir, lastGoodName, content); err != nil {
		return fmt.Errorf("config: last good: %w", err)
	}
	return nil
}

// ReplaceFile puts content in the place of a file, or makes it, with mode 0600: a power
// cut leaves the old or the new.
func ReplaceFile(path string, content []byte) error {
	return replaceFile(filepath.Dir(path), filepath.Base(path), content)
}

// replaceFile writes beside the target, syncs, renames and syncs the folder.
func replaceFile(dir, name string, content []byte) error {
	f, err := os.CreateTemp(dir, "."+name+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadLastGood parses the kept configuration under its old name, so that its
// relative paths still hold, and tells when it was kept. ErrNoLastGood if there
// is none; *Invalid if it is no longer valid for this binary.
func LoadLastGood(dir string, opts Options) (*Config, time.Time, error) {
	b, err := readKept(filepath.Join(dir, lastGoodName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, ErrNoLastGood
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("config: last good: %w", err)
	}
	i := bytes.LastIndex(b, []byte(lastGoodMark))
	var meta lastGood
	if i < 0 || json.Unmarshal(b[i+len(lastGoodMark):], &meta) != nil {
		return nil, time.Time{}, errors.New("config: last good: the kept file lacks its last line")
	}
	kept := files.Kept{Files: map[string][]byte{}, Vars: meta.Vars}
	for path, text := range meta.More {
		kept.Files[path] = []byte(text)
	}
	opts.disk = kept
	c, problems := Parse(meta.File, b[:i], opts)
	return c, meta.Saved, AsError(problems)
}

// maxKept bounds the kept file, in bytes: two hundred files of a megabyte at most, and
// their text form.
const maxKept = 300 << 20

// readKept reads a regular file and nothing else, and never waits.
func readKept(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKept {
		return nil, errors.New("it is not a file of ours")
	}
	return os.ReadFile(path)
}
