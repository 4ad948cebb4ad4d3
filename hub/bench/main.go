package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	ctx   context.Context
	quick bool
	root  string // of the repository
	dir   string // of this run; short, since sockets have long names
	ctl   *control
	page  *page

	profiles string // folder; empty: none are made

	bin, plugin, peer string // programs
	farm              *farm  // cameras and go2rtc; nil until they are needed
	rival             string
}

// parts of a run, in the order of the page.
const parts = "start, hop, chime, flood, live, relay, added, first, still, home, cameras, reload, build"

func main() {
	root := flag.String("root", "../..", "the repository")
	out := flag.String("out", "", "file to write; empty: standard output")
	quick := flag.Bool("quick", false, "a run of four minutes, whose figures are rough")
	only := flag.String("only", "", "parts with a comma between: "+parts+"")
	profiles := flag.String("profiles", "", "folder for processor profiles of our hub, one of each turn of a watched cell; they cost time themselves")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *out, *only, *profiles, *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out, only, profiles string, quick bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, quick: quick, root: root, dir: dir, profiles: profiles}
	if b.ctl, err = newControl(filepath.Join(dir, "ctl")); err != nil {
		return err
	}
	defer b.ctl.Close()
	if err := b.build(); err != nil {
		return err
	}
	b.page = newPage(root, dir, quick)
	defer func() {
		if b.farm != nil {
			b.farm.end()
		}
	}()
	var failed error
	for _, row := range []struct {
		name string
		run  func() error
	}{{"start", b.start}, {"hop", b.hop}, {"chime", b.chime}, {"flood", b.flood}, {"live", b.live},
		{"relay", b.before(b.restream)}, {"added", b.before(b.added)}, {"first", b.before(b.firstFrames)}, {"still", b.before(b.stills)},
		{"home", b.before(b.home)},
		{"cameras", b.before(b.launches, b.pulling, b.fanOut)}, {"reload", b.reload}, {"build", b.cold}} {
		if only != "" && !slices.Contains(strings.Split(only, ","), row.name) {
			continue
		}
		began := time.Now()
		if err := row.run(); err != nil { // the other parts are still worth having
			failed = errors.Join(failed, fmt.Errorf("%s: %w", row.name, err))
			b.page.say("**The part %s failed in this run and is missing.**", row.name)
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s done in %s\n", row.name, time.Since(began).Round(time.Second))
	}
	text := b.page.String()
	if out == "" {
		_, err = fmt.Print(text)
	} else {
		err = os.WriteFile(out, []byte(text), 0o644)
	}
	return errors.Join(failed, err)
}

// seconds gives the long or the quick duration of a part.
func (b *bench) seconds(full, quick float64) time.Duration {
	if b.quick {
		full = quick
	}
	return time.Duration(full * float64(time.Second))
}

// rounds gives the long or the quick count of a part.
func (b *bench) rounds(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}
