package app

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// TakenError: another hub runs on the same data.
type TakenError struct {
	Dir string
	PID string
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("data folder %s: another hub (pid %s) is using it", e.Dir, e.PID)
}

// Code for `porchlight explain`.
func (e *TakenError) Code() string { return "E-HUB-DATA-TAKEN" }

// Hint says how to mend it.
func (e *TakenError) Hint() string {
	return "stop that hub first, or give this one a data_dir of its own"
}

// DataError: the data folder cannot be used.
type DataError struct {
	Dir   string
	cause error
}

func (e *DataError) Error() string { return fmt.Sprintf("data folder %s: %v", e.Dir, e.cause) }
func (e *DataError) Unwrap() error { return e.cause }

// Code for `porchlight explain`.
func (e *DataError) Code() string { return "E-HUB-DATA-FOLDER" }

// Hint says how to mend it.
func (e *DataError) Hint() string {
	return "hub.data_dir must be a folder that the hub's user may write, with folders and files of the hub's own in it and no links"
}

// lock takes the data folder for this process. The kernel lets go of it when the
// process ends, however it ends.
func lock(dir string) (*os.File, error) {
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		return nil, &DataError{dir, err}
	}
	if info, err := os.Lstat(run); err != nil || !info.IsDir() {
		return nil, &DataError{dir, cmp.Or(err, errors.New("run is not a folder"))}
	}
	// Whoever may write here could put a hub.db of his own in the place of ours. Where
	// the folder is not ours to change it stays as it is.
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		_ = os.Chmod(dir, info.Mode().Perm()&^0o022)
	}
	f, err := os.OpenFile(filepath.Join(run, "hub.lock"), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, &DataError{dir, fmt.Errorf("lock: %w", err)}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &DataError{dir, fmt.Errorf("lock: %w", err)}
		}
		pid := make([]byte, 20)
		n, _ := f.ReadAt(pid, 0)
		return nil, &TakenError{Dir: dir, PID: strings.TrimSpace(string(pid[:n]))}
	}
	if err := f.Truncate(0); err == nil {
		// The pid is for people; without it the lock holds all the same.
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}
