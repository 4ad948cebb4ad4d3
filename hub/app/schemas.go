package app

import (
	"cmp"
	"encoding/json"
	"maps"
	"sync"

	"github.com/porchlight-hub/porchlight/config"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// schemas are what executables by path said of their settings. An executable is
// first asked who it is; then its part of the file is checked like any other.
type schemas struct {
	mu      sync.Mutex
	learned map[string]config.PluginSchema // by entry
}

// options are those given with what was learned.
func (s *schemas) options(given config.Options) config.Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(given.Schemas)
	if all == nil {
		all = map[string]config.PluginSchema{}
	}
	maps.Copy(all, s.learned)
	given.Schemas = all
	return given
}

// learn keeps what a plugin says. One that says nothing is checked by itself alone.
func (s *schemas) learn(entry string, d *pb.Description) {
	orAny := func(schema string) json.RawMessage { return json.RawMessage(cmp.Or(schema, "{}")) }
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.learned == nil {
		s.learned = map[string]config.PluginSchema{}
	}
	s.learned[entry] = config.PluginSchema{Config: orAny(d.GetConfigSchema()), Device: orAny(d.GetDeviceSchema())}
}

// checkPath holds the running file against what an executable says of its own
// settings. What is wrong is told like every other problem of the file, and keeps
// that plugin from being configured.
func (h *Hub) checkPath(entry string, d *pb.Description) error {
	var own schemas // another executable's faults are its own
	own.learn(entry, d)
	h.schemas.learn(entry, d)
	running, _ := h.state.running()
	_, problems := running.Again(own.options(h.opts.LoadOptions))
	err := config.AsError(problems)
	if err == nil {
		return nil
	}
	_, problems = running.Again(h.schemas.options(h.opts.LoadOptions))
	h.state.keep(problems)
	h.tellProblems(problems, "Plugin "+entry+" is not started with these settings.")
	h.web.Changed()
	return err
}
