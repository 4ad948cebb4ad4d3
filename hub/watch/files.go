package watch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Settle is how long the files must be quiet before a change counts: editors
// write, sync and rename in several steps.
const Settle = 300 * time.Millisecond

// longestSettle bounds the wait for files that never become quiet, as a
// multiple of the settle time.
const longestSettle = 10

// lookAgain is how often the files are looked at whatever the kernel says: a folder
// may be missing, or on a disk that tells nothing.
const lookAgain = 2 * time.Second

// Files watches files and sends when one of them may be another: it was written,
// replaced, removed or made. list names them, as paths or as patterns (conf.d/*.yaml);
// it is asked again after each change, since a file may name others. The channel
// holds one such news; more while it waits are the same news. It is closed when ctx
// ends. The error says that no watching is possible at all on this system; what is
// not there is waited for.
func Files(ctx context.Context, list func() []string, settle time.Duration, log *slog.Logger) (<-chan struct{}, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	f := &files{list: list, log: log.With("part", "watch"), add: w.Add, remove: w.Remove, events: w.Events, errors: w.Errors}
	f.begin()
	news := make(chan struct{}, 1) // one: a second change before the first is taken is no other news
	go func() {
		defer w.Close()
		f.run(ctx, settle, news)
	}()
	return news, nil
}

// files is the one loop; events, add and remove come from fsnotify, or from a test.
type files struct {
	list   func() []string
	log    *slog.Logger
	add    func(folder string) error
	remove func(folder string) error
	events <-chan fsnotify.Event
	errors <-chan error

	names   []string        // what list gave, absolute
	seen    map[string]look // the files that were there, by name
	folders map[string]bool // the folders that matter; true: the kernel tells of them
	told    bool            // that one cannot be watched
}

// look is how a file appeared: enough to tell that nothing happened to it.
type look struct {
	modified time.Time
	size     int64
	mode     os.FileMode
	target   string // where symbolic links lead
	info     os.FileInfo
}

func (l look) same(o look) bool {
	return l.size == o.size && l.mode == o.mode && l.modified.Equal(o.modified) && l.target == o.target && os.SameFile(l.info, o.info)
}

// begin asks for the names and looks at the files for the first time.
func (f *files) begin() {
	f.folders = map[string]bool{}
	f.ask()
	f.seen = f.look()
	f.watch(f.seen)
}

// ask takes the names anew.
func (f *files) ask() {
	f.names = nil
	for _, name := range f.list() {
		abs, err := filepath.Abs(name)
		if err != nil {
			f.log.Warn("a file cannot be watched", "file", name, "error", err)
			continue
		}
		f.names = append(f.names, abs)
	}
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// look finds the files that there are.
func (f *files) look() map[string]look {
	out := map[string]look{}
	see := func(name string) bool {
		info, err := os.Stat(name)
		if err != nil {
			return false
		}
		target, err := filepath.EvalSymlinks(name)
		if err != nil {
			return false
		}
		out[name] = look{modified: info.ModTime(), size: info.Size(), mode: info.Mode(), target: target, info: info}
		return true
	}
	for _, name := range f.names {
		if see(name) || !isPattern(name) {
			continue
		}
		found, err := filepath.Glob(name)
		if err != nil {
			continue // no pattern, and no such file
		}
		for _, name := range found {
			see(name)
		}
	}
	return out
}

func same(a, b map[string]look) bool { return maps.EqualFunc(a, b, look.same) }

// watch has the kernel tell of the folders of all names, and of those that links lead
// to.
func (f *files) watch(seen map[string]look) {
	want := map[string]bool{}
	for _, name := range f.names {
		folder := filepath.Dir(name)
		for isPattern(folder) && folder != filepath.Dir(folder) {
			folder = filepath.Dir(folder)
		}
		want[folder] = true
	}
	for name, l := range seen {
		want[filepath.Dir(name)], want[filepath.Dir(l.target)] = true, true
	}
	for folder, watched := range f.folders {
		if !want[folder] {
			if watched {
				_ = f.remove(folder) // it may be gone already
			}
			delete(f.folders, folder)
		}
	}
	var failed error
	for _, folder := range slices.Sorted(maps.Keys(want)) {
		if !f.folders[folder] {
			err := f.add(folder)
			f.folders[folder] = err == nil
			if err != nil {
				failed = fmt.Errorf("%s: %w", folder, err)
			}
		}
	}
	if failed != nil && !f.told {
		f.log.Warn("a folder cannot be watched; its files are looked at now and then", "error", failed)
	}
	f.told = failed != nil
}

// ours tells that an event is about one of the files, and not about a neighbour.
func (f *files) ours(event string) bool {
	event = filepath.Clean(event)
	if _, known := f.seen[event]; known {
		return true
	}
	if slices.ContainsFunc(f.names, func(name string) bool {
		matches, err := filepath.Match(name, event)
		return name == event || err == nil && matches
	}) {
		return true
	}
	for _, l := range f.seen {
		if l.target == event {
			return true
		}
	}
	return false
}

// run sends news until ctx ends. touched: something happened to a file since the last
// news, so a look that finds the same size and time does not count.
func (f *files) run(ctx context.Context, settle time.Duration, news chan<- struct{}) {
	defer close(news)
	quiet := time.NewTimer(settle)
	quiet.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	var since time.Time // of the first event that is not told yet
	touched := false
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-f.events:
			if !ok {
				return
			}
			if folder := filepath.Clean(e.Name); f.folders[folder] && (e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)) {
				f.folders[folder] = false // the folder itself is gone
			}
			ours := f.ours(e.Name)
			touched = touched || ours && e.Op != fsnotify.Chmod // a mode is seen by looking
			if since.IsZero() {
				since = time.Now()
			} else if !ours {
				continue // a neighbour's change does not put ours off
			}
			quiet.Reset(min(settle, max(0, longestSettle*settle-time.Since(since))))
		case err, ok := <-f.errors:
			if !ok {
				return
			}
			// Events were lost: look for ourselves.
			f.log.Warn("watching the folders: some changes went unseen; looking again", "error", err)
			quiet.Reset(settle)
		case <-again.C:
			now := f.look()
			f.watch(now)
			if since.IsZero() && !same(now, f.seen) {
				since = time.Now()
				quiet.Reset(settle)
			}
		case <-quiet.C:
			f.ask() // a file that changed may name others
			now := f.look()
			if touched || !same(now, f.seen) {
				select {
				case news <- struct{}{}:
				default: // the taker has not taken the last news yet; it will read the newest files
				}
			}
			f.watch(now)
			f.seen, since, touched = now, time.Time{}, false
		}
	}
}
