package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// leastFree is what the journal, its reserve and the last pictures need to go on.
	leastFree = 64 << 20
	// littleFree leaves no room for a bad week.
	littleFree = 1 << 30
	// fewInodes: the disk takes no new file soon, however much is free.
	fewInodes = 1000
	// syncs are timed; the middle one counts.
	syncs = 9
	// slowSync makes a ring wait for the disk before its plugin hears that it is safe.
	slowSync = 100 * time.Millisecond
)

func checkStorage(ctx context.Context, d *Deps) []Finding {
	if d.DataDir == "" {
		return nil
	}
	info, err := os.Stat(d.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		dir := existing(d.DataDir)
		if !mayCreate(dir) {
			return []Finding{{State: Fail, What: fmt.Sprintf("the data folder %s is not there and cannot be made in %s", d.DataDir, dir),
				Why: "the hub keeps events and logins in it", Fix: fmt.Sprintf("sudo install -d -m 700 -o $(id -un) %s", quote(d.DataDir)), Code: "E-HUB-DATA-FOLDER"}}
		}
		out := []Finding{{State: OK, What: "the data folder " + d.DataDir + " will be made at the first start"}}
		return slices.Concat(out, private(d), room(dir))
	}
	if err != nil || !info.IsDir() {
		return []Finding{{State: Fail, What: fmt.Sprintf("the data folder %s cannot be used: %v", d.DataDir, orNoFolder(err)),
			Fix: "move away what is in its place, or set hub.data_dir to another folder", Code: "E-HUB-DATA-FOLDER"}}
	}
	out := append(modes(d, info), room(d.DataDir)...)
	return append(out, syncSpeed(ctx, d.DataDir))
}

func orNoFolder(err error) error {
	if err != nil {
		return err
	}
	return errors.New("it is not a folder")
}

// existing is the nearest folder above that is there.
func existing(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func mayCreate(dir string) bool {
	tmp, err := os.MkdirTemp(dir, ".doctor-")
	if err != nil {
		return false
	}
	return os.Remove(tmp) == nil
}

// room is the space that is left, and whether the disk is one to keep things on.
func room(dir string) []Finding {
	dk, err := diskOf(dir)
	if err != nil {
		return []Finding{{State: Skip, What: fmt.Sprintf("the space in %s: %v", dir, err)}}
	}
	var out []Finding
	left := fmt.Sprintf("%s of %s are free for %s", size(dk.free), size(dk.size), dir)
	switch fix := "make room: du -xh " + quote(dir) + " | sort -h | tail shows what is large"; {
	case dk.readOnly:
		out = append(out, Finding{State: Fail, What: dir + " is mounted read-only", Why: "nothing can be kept", Fix: "dmesg tells of a failing disk; mount it for writing again, or set hub.data_dir to another disk"})
	case dk.free < leastFree:
		out = append(out, Finding{State: Fail, What: left, Why: "soon no event is kept any more", Fix: fix, Code: "E-BUS-DISK-FULL"})
	case dk.free < littleFree:
		out = append(out, Finding{State: Warn, What: left, Why: "it may fill up", Fix: fix})
	case dk.inodes >= 0 && dk.inodes < fewInodes:
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("only %d more files fit on the disk of %s", dk.inodes, dir), Why: "it counts as full then", Fix: "find what makes so many files: du --inodes -x " + quote(dir) + " | sort -h | tail"})
	default:
		out = append(out, Finding{State: OK, What: left})
	}
	switch {
	case dk.remote:
		out = append(out, Finding{State: Warn, What: dir + " is on a network file system", Why: "the databases need locks and syncs that such systems do not keep reliably", Fix: "set hub.data_dir to a folder on a local disk"})
	case dk.memory:
		out = append(out, Finding{State: Warn, What: dir + " is in memory", Why: "events and logins are gone at the next boot", Fix: "set hub.data_dir to a folder on a disk"})
	}
	return out
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

// modes looks at who else may read or change what is the hub's own.
func modes(d *Deps, dir fs.FileInfo) []Finding {
	var out []Finding
	if uid, ok := ownerOf(dir); ok && os.Geteuid() != 0 && uid != os.Geteuid() {
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("the data folder %s belongs to another user (uid %d)", d.DataDir, uid), Why: "only its owner can run the hub on it", Fix: "run this as that user: sudo -u '#" + fmt.Sprint(uid) + "' porchlight doctor", Code: "E-CLI-PERMISSION"})
	}
	if dir.Mode().Perm()&0o022 != 0 {
		out = append(out, Finding{State: Warn, What: "others may write into the data folder " + d.DataDir, Why: "they could put a database of their own in the place of the hub's", Fix: "chmod go-w " + quote(d.DataDir)})
	}
	out = append(out, private(d)...)
	if len(out) == 0 {
		out = append(out, Finding{State: OK, What: d.DataDir + " is the hub's own"})
	}
	return out
}

// private files and folders are those that hold passwords or logins.
func private(d *Deps) (out []Finding) {
	paths := []string{filepath.Join(d.DataDir, "hub.db"), filepath.Join(d.DataDir, "secrets"), filepath.Join(d.DataDir, "last-good"), filepath.Join(d.DataDir, "run")}
	if d.Config != nil && d.File != "" {
		secrets := d.Config.Secrets()
		for _, f := range d.Config.Files() {
			text, _ := d.Config.FileText(f)
			if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(string(text), s) }) {
				paths = append(paths, f)
			}
		}
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm()&0o066 == 0 {
			continue
		}
		// A closed folder above keeps everybody out as well.
		if parent, err := os.Stat(filepath.Dir(p)); err == nil && parent.Mode().Perm()&0o077 == 0 {
			continue
		}
		out = append(out, Finding{State: Warn, What: "other users of this machine may read " + p, Why: "it holds passwords or logins", Fix: "chmod go-rwx " + quote(p)})
	}
	return out
}

// syncSpeed times small writes that must be on the disk, as each ring's is.
func syncSpeed(ctx context.Context, dir string) Finding {
	took, err := timeSyncs(ctx, dir)
	if err != nil {
		return Finding{State: Fail, What: fmt.Sprintf("%s cannot be written: %v", dir, err), Why: "no event can be kept", Fix: "check owner and mode: ls -ld " + quote(dir), Code: "E-HUB-DATA-FOLDER"}
	}
	what := fmt.Sprintf("the disk keeps a small write in %s", took.Round(10*time.Microsecond))
	if took > slowSync {
		return Finding{State: Warn, What: what, Why: "a worn memory card looks like this; rings sound at once all the same, and are kept late", Fix: "move hub.data_dir to an SSD or a new card"}
	}
	return Finding{State: OK, What: what}
}

func timeSyncs(ctx context.Context, dir string) (middle time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	var took []time.Duration
	for range syncs {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// quote makes a path one word of a shell.
func quote(path string) string {
	for _, r := range path {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '_' || r == '-') {
			return "'" + escapeQuotes(path) + "'"
		}
	}
	return path
}

func escapeQuotes(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '\'' {
			out = append(out, `'\''`...)
		} else {
			out = append(out, s[i])
		}
	}
	return string(out)
}
