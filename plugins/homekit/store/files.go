package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// temp begins the name of a file that is being written; one that is left over is
// removed when the accessory is opened.
const temp = ".tmp-"

// maxFile bounds what is read: the largest file, the numbers of a bridge with a hundred
// things, is far below it.
const maxFile = 1 << 20

// write puts data in place as a whole: to a file beside it, which is made last, then
// over the name, which is made last too. step is called before and after each of these.
func write(dir, name string, data []byte, step func(string) error) error {
	if err := step("begin " + name); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, temp) // 0600
	if err != nil {
		return fmt.Errorf("homekit store: write %s: %w", name, err)
	}
	tmp := f.Name()
	undo := func(err error) error {
		return fmt.Errorf("homekit store: write %s: %w", name, errors.Join(err, f.Close(), os.Remove(tmp)))
	}
	if _, err := f.Write(data[:len(data)/2]); err != nil {
		return undo(err)
	}
	if err := step("half " + name); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(data[len(data)/2:]); err != nil {
		return undo(err)
	}
	if err := f.Sync(); err != nil {
		return undo(err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("homekit store: write %s: %w", name, errors.Join(err, os.Remove(tmp)))
	}
	if err := step("written " + name); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("homekit store: write %s: %w", name, errors.Join(err, os.Remove(tmp)))
	}
	if err := step("renamed " + name); err != nil {
		return err
	}
	return syncDir(dir)
}

// read gives a file's content; one that is not there is fs.ErrNotExist, any other
// trouble is a *Damaged.
func read(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, &Damaged{path, err}
	}
	if !info.Mode().IsRegular() {
		return nil, &Damaged{path, errors.New("this is no file")}
	}
	if info.Size() > maxFile {
		return nil, &Damaged{path, fmt.Errorf("%d bytes are more than this store ever writes", info.Size())}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &Damaged{path, err}
	}
	return b, nil
}

// remove takes a file away for good; one that is not there is gone already.
func remove(dir, name string, step func(string) error) error {
	if err := step("remove " + name); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("homekit store: remove %s: %w", name, err)
	}
	if err := step("removed " + name); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("homekit store: sync: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("homekit store: sync: %w", err)
	}
	return nil
}

// tidy closes the folder to others (hap.Server leaves it open to the group) and clears
// what an interrupted write left.
func tidy(dir string) error {
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("homekit store: open: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("homekit store: open: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), temp):
			err = os.Remove(path)
		case e.Type().IsRegular():
			err = os.Chmod(path, 0o600)
		}
		if err != nil {
			return fmt.Errorf("homekit store: open: %w", err)
		}
	}
	return nil
}
