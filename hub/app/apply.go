package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/watch"
)

// settle is how long the config's folder must be still before the file is read:
// editors write a file in several steps.
const settle = 300 * time.Millisecond

func (h *Hub) loadOptions() config.Options { return h.opts.LoadOptions }

// apply hands every room its part. What speaks for a device is told of it before
// the device can speak.
func (h *Hub) apply(ctx context.Context, c *config.Config) {
	h.registry.Apply(cameras(c))
	h.chimes.Apply(chimeList(c))
	h.host.Apply(entries(c))
	if err := h.super.Apply(ctx, specs(c, h.bundled)); err != nil {
		h.log.Error("plugins not applied", "err", err)
	}
}

// watchConfig reads the file again after each change in its folder.
func (h *Hub) watchConfig(ctx context.Context) error {
	if h.opts.File == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	changed, err := watch.Dir(ctx, h.opts.File, settle, h.log.With("part", "config"))
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-changed:
			if !ok {
				return ctx.Err()
			}
			h.reload(ctx)
		}
	}
}

// reload takes the file where it is good; where it is not, everything stays as it
// is and the problems are told.
func (h *Hub) reload(ctx context.Context) {
	c, problems := config.Load(h.opts.File, h.loadOptions())
	running, loaded := h.state.running()
	if c == nil {
		h.state.keep(problems)
		errors, warnings := config.Count(problems)
		h.log.Error("config not taken; the hub goes on with the one loaded at "+loaded.Format(time.TimeOnly),
			"file", h.opts.File, "errors", errors, "warnings", warnings)
		h.tellProblems(problems, "The hub keeps running with the config loaded at "+loaded.Format(time.TimeOnly)+".")
		return
	}
	if !h.state.differs(c) {
		h.state.keep(problems)
		return
	}
	plan := config.Compare(running, c)
	h.state.set(c, time.Now(), problems)
	h.apply(ctx, c)
	h.log.Info("config taken", "file", h.opts.File, "start", plan.Start, "stop", plan.Stop, "change", plan.Change)
	h.keepLastGood(c)
	if len(problems) > 0 {
		h.tellProblems(problems, "")
	}
}

// tellProblems writes them as a person in front of the terminal reads them.
func (h *Hub) tellProblems(problems []config.Problem, consequence string) {
	if h.opts.Tell != nil {
		h.opts.Tell(config.Text(problems, consequence))
	}
}

func (h *Hub) keepLastGood(c *config.Config) {
	if h.opts.File == "" {
		return
	}
	if err := config.SaveLastGood(filepath.Join(h.opts.DataDir, "last-good"), c); err != nil {
		h.log.Warn("last good config not kept", "err", err)
	}
}
