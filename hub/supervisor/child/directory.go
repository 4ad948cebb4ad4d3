package child

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
)

// maxRunDir in bytes: a socket's path has at most 108 (unix(7)), and below this
// directory come h<pid>-<number>, the instance's name (24) and the socket's (17).
const maxRunDir = 45

// runDir is the directory of this hub's instances: <root>/h<pid>-<number>, with a lock that
// tells the next hub whether this one lives.
type runDir struct {
	path string
	lock *os.File
}

// openRunDir makes it, and clears away what dead hubs left below root.
func openRunDir(root string, log *slog.Logger) (*runDir, error) {
	if root == "" {
		root = os.Getenv("XDG_RUNTIME_DIR")
	}
	if root != "" {
		abs, err := filepath.Abs(root)
		if err != nil {
			return nil, fmt.Errorf("supervisor: run directory: %w", err)
		}
		root = abs
		// What is swept must be ours alone.
		if filepath.Base(root) != "porchlight" {
			root = filepath.Join(root, "porchlight")
		}
	}
	if root == "" || len(root) > maxRunDir {
		root = filepath.Join(os.TempDir(), fmt.Sprintf("porchlight-%d", os.Getuid()))
	}
	if len(root) > maxRunDir {
		root = fmt.Sprintf("/tmp/porchlight-%d", os.Getuid())
	}
	if err := privateDir(root); err != nil {
		return nil, err
	}
	// One hub at a time: else one takes another's directory, not yet locked, for a dead one's.
	door, err := os.OpenFile(filepath.Join(root, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("supervisor: run directory: %w", err)
	}
	defer door.Close()
	if err := syscall.Flock(int(door.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("supervisor: run directory: lock: %w", err)
	}
	sweep(root, log)
	dir, err := os.MkdirTemp(root, fmt.Sprintf("h%d-", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("supervisor: run directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, fmt.Errorf("supervisor: run directory: lock: %w", err)
	}
	return &runDir{path: dir, lock: lock}, nil
}

// privateDir makes dir and refuses one that another user could have prepared.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("supervisor: run directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("supervisor: run directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("supervisor: run directory %s: it belongs to somebody else", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("supervisor: run directory: %w", err)
		}
	}
	return nil
}

// sweep removes the directories of hubs that are dead, and ends what still runs of
// their plugins: grandchildren that left their process group.
func sweep(root string, log *slog.Logger) {
	ours := regexp.MustCompile(`^h[0-9]+-[0-9]+$`)
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if !e.IsDir() || !ours.MatchString(e.Name()) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			_ = os.RemoveAll(dir)
			continue
		}
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			killed := runner.SweepMarked(dir)
			err := os.RemoveAll(dir)
			log.Info("cleared away what a hub left behind", "dir", dir, "processes", killed, "err", err)
		}
		lock.Close()
	}
}

func (d *runDir) close() {
	_ = os.RemoveAll(d.path)
	_ = d.lock.Close()
}

// instance makes the directory of one life, empty and 0700.
func (d *runDir) instance(name string) (string, error) {
	dir := filepath.Join(d.path, shortName(name))
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o700)
}

// shortName keeps a name that is short and plain, and hashes any other.
func shortName(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
	if plain && name != "lock" && name != "" && len(name) <= 24 {
		return name
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return "x" + hex.EncodeToString(h.Sum(nil))
}
