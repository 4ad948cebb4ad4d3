package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Settle is how long the file must be quiet before a change counts: editors
// write, sync and rename in several steps.
const Settle = 300 * time.Millisecond

// longestSettle bounds the wait for a file that never becomes quiet, as a
// multiple of the settle time.
const longestSettle = 10

// lookAgain is how often the file is looked at while its folder is missing or
// cannot be watched.
const lookAgain = 2 * time.Second

// Dir watches the folder of path and sends when the file there may be another:
// it was written, replaced, removed or made. The channel holds one such news;
// more while it waits are the same news. It is closed when ctx ends. The error
// says that no watching is possible at all on this system; a folder that is
// not there is waited for.
func Dir(ctx context.Context, path string, settle time.Duration, log *slog.Logger) (<-chan struct{}, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	d := &dir{path: abs, log: log.With("part", "watch", "file", abs), add: w.Add, events: w.Events, errors: w.Errors}
	d.watchFolder()
	d.seen = d.look()
	news := make(chan struct{}, 1) // one: a second change before the first is taken is no other news
	go func() {
		defer w.Close()
		d.run(ctx, settle, news)
	}()
	return news, nil
}

// dir is the one loop; events and add come from fsnotify, or from a test.
type dir struct {
	path    string
	log     *slog.Logger
	add     func(folder string) error
	events  <-chan fsnotify.Event
	errors  <-chan error
	seen    look
	watched bool // the folder was there and is watched
	told    bool // that it is not
}

// look is how the file appeared: enough to tell that nothing happened to it.
type look struct {
	there    bool
	modified time.Time
	size     int64
	target   string // where symbolic links lead
	info     os.FileInfo
}

func (d *dir) look() look {
	info, err := os.Stat(d.path)
	if err != nil {
		return look{}
	}
	target, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return look{}
	}
	return look{there: true, modified: info.ModTime(), size: info.Size(), target: target, info: info}
}

func (l look) same(o look) bool {
	return l.there == o.there && l.size == o.size && l.modified.Equal(o.modified) && l.target == o.target &&
		(l.info == nil || os.SameFile(l.info, o.info))
}

func (d *dir) watchFolder() {
	err := d.add(filepath.Dir(d.path))
	d.watched = err == nil
	if err != nil && !d.told {
		d.log.Warn("the folder cannot be watched; the file is looked at now and then", "error", err)
	}
	d.told = err != nil
}

// run sends news until ctx ends. touched: something happened to the file since
// the last news, so a look that finds the same size and time does not count.
func (d *dir) run(ctx context.Context, settle time.Duration, news chan<- struct{}) {
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
		case e, ok := <-d.events:
			if !ok {
				return
			}
			if d.gone(e) {
				d.watched = false
			}
			if e.Has(fsnotify.Chmod) && e.Op == fsnotify.Chmod {
				continue
			}
			ours := filepath.Clean(e.Name) == d.path
			touched = touched || ours
			if since.IsZero() {
				since = time.Now()
			} else if !ours {
				continue // a neighbour's change does not put ours off
			}
			quiet.Reset(min(settle, max(0, longestSettle*settle-time.Since(since))))
		case err, ok := <-d.errors:
			if !ok {
				return
			}
			// Events were lost: look for ourselves.
			d.log.Warn("watching the folder: some changes went unseen; looking again", "error", err)
			quiet.Reset(settle)
		case <-again.C:
			if !d.watched {
				d.watchFolder()
			}
			if now := d.look(); since.IsZero() && !now.same(d.seen) {
				since = time.Now()
				quiet.Reset(settle)
			}
		case <-quiet.C:
			now := d.look()
			if touched || !now.same(d.seen) {
				select {
				case news <- struct{}{}:
				default: // the taker has not taken the last news yet; it will read the newest file
				}
			}
			d.seen, since, touched = now, time.Time{}, false
		}
	}
}

// gone tells that the watched folder itself was removed or renamed.
func (d *dir) gone(e fsnotify.Event) bool {
	return filepath.Clean(e.Name) == filepath.Dir(d.path) && (e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename))
}
