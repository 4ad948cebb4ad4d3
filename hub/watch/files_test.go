package watch

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// fake is the loop with events from the test and the bubble's clock.
type fake struct {
	*files
	path string
	feed chan fsnotify.Event
	lost chan error
	news chan struct{}
	more []string // besides path
	fail error

	added, dropped []string // folders
}

func start(t *testing.T, ctx context.Context, path string) *fake {
	t.Helper()
	f := newFake(path)
	f.begin()
	go f.run(ctx, Settle, f.news)
	return f
}

func newFake(path string) *fake {
	f := &fake{feed: make(chan fsnotify.Event), lost: make(chan error), news: make(chan struct{}, 1)}
	f.path = path
	f.files = &files{
		list: func() []string { return append([]string{path}, f.more...) }, log: slog.New(slog.DiscardHandler), events: f.feed, errors: f.lost,
		add:    func(folder string) error { f.added = append(f.added, filepath.Base(folder)); return f.fail },
		remove: func(folder string) error { f.dropped = append(f.dropped, filepath.Base(folder)); return nil },
	}
	return f
}

func (f *fake) event(name string, op fsnotify.Op) {
	f.feed <- fsnotify.Event{Name: filepath.Join(filepath.Dir(f.path), name), Op: op}
}

// expect waits d and then tells whether news came.
func (f *fake) expect(t *testing.T, d time.Duration, want bool) {
	t.Helper()
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
	select {
	case <-f.news:
		if !want {
			t.Errorf("news after %s, and nothing happened", d)
		}
	default:
		if want {
			t.Errorf("no news after %s", d)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func inBubble(t *testing.T, f func(t *testing.T, w *fake)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "porchlight.yaml")
	write(t, path, "version: 1\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := start(t, ctx, path)
		f(t, w)
		cancel()
		if _, open := <-w.news; open {
			t.Error("the channel is still open after the context ended")
		}
	})
}

func TestOneSaveInManyStepsIsOneNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		for range 5 {
			w.event("porchlight.yaml", fsnotify.Write)
			w.expect(t, 200*time.Millisecond, false)
		}
		w.expect(t, 100*time.Millisecond, true)
		w.expect(t, time.Minute, false)
	})
}

func TestWritingForEverIsToldInBoundedTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		for range 29 {
			w.event("porchlight.yaml", fsnotify.Write)
			w.expect(t, 100*time.Millisecond, false)
		}
		w.event("porchlight.yaml", fsnotify.Write)
		w.expect(t, 100*time.Millisecond, true)
	})
}

func TestNeighboursAreNoNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		w.event("porchlight.yaml~", fsnotify.Create)
		w.event("porchlight.yaml~", fsnotify.Write)
		w.expect(t, time.Second, false)
		w.event("porchlight.yaml", fsnotify.Chmod)
		w.expect(t, time.Second, false)
	})
}

func TestNeighboursDoNotPutOffOurs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		w.event("porchlight.yaml", fsnotify.Write)
		for range 2 {
			w.expect(t, 100*time.Millisecond, false)
			w.event("other", fsnotify.Write)
		}
		w.expect(t, 100*time.Millisecond, true)
	})
}

func TestTemporaryFileAndRename(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		tmp := w.path + ".tmp"
		write(t, tmp, "version: 1\nhub: {}\n")
		w.event("porchlight.yaml.tmp", fsnotify.Create)
		if err := os.Rename(tmp, w.path); err != nil {
			t.Fatal(err)
		}
		w.event("porchlight.yaml.tmp", fsnotify.Rename)
		w.event("porchlight.yaml", fsnotify.Create)
		w.expect(t, Settle, true)
	})
}

func TestSymbolicLinkTurnedToAnotherFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "porchlight.yaml")
	for _, v := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(folder, v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, v, "porchlight.yaml"), "version: 1\n")
	}
	turn := func(to string) {
		tmp := filepath.Join(folder, "..tmp")
		if err := errors.Join(os.Symlink(to, tmp), os.Rename(tmp, filepath.Join(folder, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	turn("v1")
	if err := os.Symlink("..data/porchlight.yaml", path); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := start(t, ctx, path)
		turn("v2")
		w.event("..data", fsnotify.Create) // no event bears the file's own name
		w.expect(t, Settle, true)
	})
}

func TestFileGoneAndBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.event("porchlight.yaml", fsnotify.Remove)
		w.expect(t, Settle, true)
		w.expect(t, time.Minute, false)
		write(t, w.path, "version: 1\n")
		w.event("porchlight.yaml", fsnotify.Create)
		w.expect(t, Settle, true)
	})
}

func TestFolderRemovedAndMadeAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		folder := filepath.Dir(w.path)
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		w.event("porchlight.yaml", fsnotify.Remove)
		w.feed <- fsnotify.Event{Name: folder, Op: fsnotify.Remove}
		w.expect(t, Settle, true)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, w.path, "version: 1\n")
		w.expect(t, lookAgain+Settle, true)
		if len(w.added) != 2 {
			t.Errorf("the folder was watched %d times, want 2", len(w.added))
		}
	})
}

func TestNoWatchingAtAllStillFindsChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		w.fail = errors.New("no space left on device") // what inotify says when its watches are used up
		w.feed <- fsnotify.Event{Name: filepath.Dir(w.path), Op: fsnotify.Remove}
		w.expect(t, time.Second, false)
		write(t, w.path, "version: 1\nhub: {}\n")
		w.expect(t, 2*lookAgain+Settle, true)
	})
}

func TestLostEventsAreLookedUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		w.lost <- fsnotify.ErrEventOverflow
		w.expect(t, time.Second, false)
		write(t, w.path, "version: 1\nhub: {}\n")
		w.lost <- fsnotify.ErrEventOverflow
		w.expect(t, Settle, true)
	})
}

// TestSeveralFilesAndPatterns: files of other folders, and such as come to be.
func TestSeveralFilesAndPatterns(t *testing.T) {
	dir := t.TempDir()
	path, part := filepath.Join(dir, "porchlight.yaml"), filepath.Join(dir, "conf.d", "a.yaml")
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, "version: 1\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newFake(path)
		w.more = []string{filepath.Join(dir, "conf.d", "*.yaml"), filepath.Join(dir, "secrets.yaml"), filepath.Join(dir, "later", "x.yaml")}
		w.begin()
		go w.run(ctx, Settle, w.news)
		if want := []string{filepath.Base(dir), "conf.d", "later"}; !slices.Equal(w.added, want) {
			t.Errorf("watched %v, want %v", w.added, want)
		}
		event := func(path string) { w.feed <- fsnotify.Event{Name: path, Op: fsnotify.Create} }
		write(t, part, "cameras:\n")
		event(part)
		w.expect(t, Settle, true)
		write(t, filepath.Join(dir, "conf.d", "a.yaml~"), "x")
		event(filepath.Join(dir, "conf.d", "a.yaml~"))
		w.expect(t, time.Minute, false)
		write(t, filepath.Join(dir, "secrets.yaml"), "a: b\n")
		event(filepath.Join(dir, "secrets.yaml"))
		w.expect(t, Settle, true)
		if err := os.Chmod(filepath.Join(dir, "secrets.yaml"), 0o640); err != nil {
			t.Fatal(err)
		}
		w.feed <- fsnotify.Event{Name: filepath.Join(dir, "secrets.yaml"), Op: fsnotify.Chmod}
		w.expect(t, Settle, true)
		if err := os.Remove(part); err != nil {
			t.Fatal(err)
		}
		w.feed <- fsnotify.Event{Name: part, Op: fsnotify.Remove}
		w.expect(t, Settle, true)
		if err := os.Mkdir(filepath.Join(dir, "later"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "later", "x.yaml"), "x")
		w.expect(t, lookAgain+Settle, true)
	})
}

// TestListIsAskedAgain: what a changed file names is watched, and what it names no
// more is not.
func TestListIsAskedAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "porchlight.yaml")
	write(t, path, "version: 1\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := start(t, ctx, path)
		w.more = []string{filepath.Join(dir, "new", "*.yaml")}
		w.event("porchlight.yaml", fsnotify.Write)
		w.expect(t, Settle, true)
		if !slices.Contains(w.added, "new") {
			t.Errorf("watched %v", w.added)
		}
		w.more = nil
		w.event("porchlight.yaml", fsnotify.Write)
		w.expect(t, Settle, true)
		if !slices.Equal(w.dropped, []string{"new"}) {
			t.Errorf("dropped %v", w.dropped)
		}
	})
}

// A link's file may lie in another folder, and be written there.
func TestFileBehindALink(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path, real := filepath.Join(dir, "porchlight.yaml"), filepath.Join(other, "real.yaml")
	write(t, real, "version: 1\n")
	if err := os.Symlink(real, path); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := start(t, ctx, path)
		if !slices.Contains(w.added, filepath.Base(other)) {
			t.Errorf("watched %v", w.added)
		}
		w.feed <- fsnotify.Event{Name: real, Op: fsnotify.Write}
		w.expect(t, Settle, true)
	})
}

// TestFiftySavesInFiveSeconds: few news, and the last one after the last save.
func TestFiftySavesInFiveSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fake) {
		news := 0
		for range 50 {
			w.event("porchlight.yaml", fsnotify.Write)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			select {
			case <-w.news:
				news++
			default:
			}
		}
		if news > 2 {
			t.Errorf("%d news while it was saved", news)
		}
		w.expect(t, Settle, true)
		w.expect(t, time.Minute, false)
	})
}

// TestRealFolder meets the kernel: each way of saving is told, with a short
// settle time so that no test waits for the clock.
func TestRealFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "porchlight.yaml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	list := func() []string { return []string{path} }
	news, err := Files(ctx, list, time.Millisecond, nil)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"made", func() error { return os.WriteFile(path, []byte("a"), 0o600) }},
		{"written", func() error { return os.WriteFile(path, []byte("bb"), 0o600) }},
		{"replaced", func() error {
			return errors.Join(os.WriteFile(path+"~", []byte("ccc"), 0o600), os.Rename(path+"~", path))
		}},
		{"kept as a backup", func() error {
			return errors.Join(os.Rename(path, path+"~"), os.WriteFile(path, []byte("ddd"), 0o600), os.Remove(path+"~"))
		}},
		{"removed", func() error { return os.Remove(path) }},
		{"made again", func() error { return os.WriteFile(path, []byte("dddd"), 0o600) }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-news:
		case <-t.Context().Done():
			t.Fatalf("%s: never told", s.name)
		}
	}
	cancel()
	for range news { // closes; a step may have been told twice
	}
}
