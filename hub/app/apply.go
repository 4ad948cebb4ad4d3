package app

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/watch"
)

// settle is how long the config's folder must be still before the file is read:
// editors write a file in several steps.
const settle = 300 * time.Millisecond

// leastSecret is how long a value of the config must be to be masked in what plugins
// say: a shorter one stands in many words by chance, and is worth little.
const leastSecret = 6

// apply hands every room its part. What speaks for a device is told of it before
// the device can speak.
func (h *Hub) apply(ctx context.Context, c *config.Config) {
	for _, v := range c.Secrets() {
		if len(v) >= leastSecret {
			h.secrets.Know(v)
		}
	}
	for name := range c.SecretUse() {
		if v, ok := c.Secret(name); ok {
			h.secrets.Know(v)
		}
	}
	h.registry.Apply(cameras(c))
	h.chimes.Apply(chimeList(c))
	h.host.Apply(entries(c))
	h.applyLive(c)
	h.sources.Apply(wishes(c)) // before the plugins: what is remembered is dialled at once
	h.described.Apply(speakers(c))
	h.tellHouse(ctx)
	if err := h.super.Apply(ctx, specs(c, h.bundled)); err != nil {
		h.log.Error("plugins not applied", "err", err)
		return
	}
	if err := h.notes.Forget(ctx, func(camera string) bool { _, there := c.Cameras[camera]; return there }); err != nil {
		h.log.Warn("what was learned of cameras that are gone is still kept", "err", err)
	}
	h.applied.Store(true)
}

// watchConfig reads the file again after each change in its folder.
func (h *Hub) watchConfig(ctx context.Context) error {
	if h.opts.File == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	files := func() []string { return config.Watched(h.opts.File, h.schemas.options(h.opts.LoadOptions)) }
	changed, err := watch.Files(ctx, files, settle, h.log.With("part", "config"))
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
	defer h.web.Changed()
	c, problems := config.Load(h.opts.File, h.schemas.options(h.opts.LoadOptions))
	running, loaded := h.state.running()
	if c == nil {
		h.state.keep(problems)
		errors, warnings := config.Count(problems)
		h.log.Error("config not taken; the hub goes on with the one loaded at "+loaded.Format(time.TimeOnly),
			"file", h.opts.File, "errors", errors, "warnings", warnings)
		h.tellProblems(problems, "The hub keeps running with the config loaded at "+loaded.Format(time.TimeOnly)+".")
		return
	}
	problems = append(problems, nextStart(h.opts.Config, c)...)
	if !h.state.differs(c) {
		h.state.keep(problems)
		return
	}
	plan := config.Compare(running, c)
	h.state.set(c, time.Now(), problems)
	h.state.changed(plan)
	h.applyLevel(c)
	h.apply(ctx, c)
	h.log.Info("config taken", "file", h.opts.File, "start", plan.Start, "stop", plan.Stop, "change", plan.Change)
	h.keepLastGood(c)
	if len(problems) > 0 {
		h.tellProblems(problems, "")
	}
}

// applyLevel lets hub.log.level take effect at once: nobody restarts a house to see
// what is wrong in it.
func (h *Hub) applyLevel(c *config.Config) {
	var level slog.Level
	if h.opts.Level != nil && level.UnmarshalText([]byte(c.Hub.Log.Level)) == nil {
		h.opts.Level.Set(level)
	}
}

// nextStart warns of what was changed in the hub section and is only read when the
// hub starts.
func nextStart(started, c *config.Config) []config.Problem {
	plan := config.Compare(started, c)
	var out []config.Problem
	for _, e := range slices.Concat(plan.Start, plan.Stop, plan.Change) {
		if e.Kind != "hub" || isLive(e.ID) {
			continue
		}
		path := "hub." + e.ID
		at := c.Place(path)
		out = append(out, config.Problem{File: cmp.Or(at.File, c.File()), Line: at.Line, Column: at.Column, Severity: config.Warning,
			Code: "E-CFG-NEXT-START", Path: path, Message: path + " was changed and takes effect at the hub's next start",
			Hint: "stop the hub and start it again when it suits you; everything else of the file is in force"})
	}
	return out
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
