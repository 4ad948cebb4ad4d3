package app

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// configState is the config that runs and what is wrong with the one on disk.
// Pages read it while an edit is applied.
type configState struct {
	file    string         // empty: the demo
	started *config.Config // what the hub was started with
	options func() config.Options

	mu       sync.RWMutex
	current  *config.Config
	loaded   time.Time
	problems []config.Problem
	plan     *api.ConfigPlan      // of the last save; nil before one
	refused  map[string][]refusal // by plugin
}

func (s *configState) set(c *config.Config, at time.Time, problems []config.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.loaded, s.problems = c, at, problems
}

// keep the running config and tell what is wrong with the new one.
func (s *configState) keep(problems []config.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = problems
}

func (s *configState) running() (*config.Config, time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current, s.loaded
}

// told are the problems of the file as it is now.
func (s *configState) told() []config.Problem {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Concat(s.problems, s.refusals())
}

// State for pages and API.
func (s *configState) State() api.ConfigState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	errors, _ := config.Count(s.problems)
	return api.ConfigState{Valid: errors == 0, Demo: s.file == "", File: s.file, Loaded: s.loaded,
		Timezone: s.started.Hub.Timezone, Problems: shapes(slices.Concat(s.problems, s.refusals())), Plan: s.plan}
}

// Effective is the running config with its defaults, secrets masked.
func (s *configState) Effective() []byte {
	c, _ := s.running()
	if c == nil {
		return nil
	}
	return c.Effective()
}

// Source is the text of the config's file as a page may show it.
func (s *configState) Source(file string) (string, bool) {
	if file == "" || file != s.file {
		return "", false
	}
	text, err := config.Masked(file, s.options())
	return text, err == nil
}

// Validate checks a text as a save would, and changes nothing.
func (s *configState) Validate(_ context.Context, yaml []byte) []api.ConfigProblem {
	_, problems := config.Parse(cmp.Or(s.file, "porchlight.yaml"), yaml, s.options())
	return shapes(problems)
}

func shapes(problems []config.Problem) []api.ConfigProblem {
	out := make([]api.ConfigProblem, 0, len(problems))
	for _, p := range problems {
		out = append(out, api.ConfigProblem{File: p.File, Line: p.Line, Column: p.Column, Severity: string(p.Severity), Code: p.Code,
			Message: p.Message, Excerpt: p.Excerpt, Suggestion: p.Suggestion, Hint: p.Hint, Path: p.Path})
	}
	return out
}

// differs tells whether a config says something else than the running one, or
// whether the file was bad until now.
func (s *configState) differs(c *config.Config) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current == nil || !s.current.Same(c) || config.AsError(s.problems) != nil
}

// Files are the texts of the config's files as a page may show them.
func (s *configState) Files() []api.ConfigFile {
	if s.file == "" {
		return nil
	}
	list, err := config.MaskedFiles(s.file, s.options())
	if err != nil {
		return nil // that it cannot be read is among the problems
	}
	out := make([]api.ConfigFile, 0, len(list))
	for _, f := range list {
		out = append(out, api.ConfigFile{Name: f.Name, Path: f.Path, Main: f.Main, Text: f.Text})
	}
	return out
}

// changed notes what a save has changed.
func (s *configState) changed(p config.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = &api.ConfigPlan{At: s.loaded, Start: named(p.Start), Stop: named(p.Stop), Change: named(p.Change), Keep: named(p.Keep)}
}

func named(entries []config.Entry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.String())
	}
	return out
}
