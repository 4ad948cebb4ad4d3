package host

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// GrantError: a plugin asks for what cannot be read or be given.
type GrantError struct{ what string }

func (e *GrantError) Error() string { return e.what }

// Code for `porchlight explain`.
func (e *GrantError) Code() string { return "E-PLUGIN-GRANT" }

// Hint says how to mend it.
func (e *GrantError) Hint() string {
	return "correct the plugin's manifest, or the permissions of its entry in the config"
}

// Grant is what the manifest asks for and the config leaves of it. A bundled
// plugin has its manifest's whole; an executable by path has what its entry names,
// and where that is silent its own devices alone. That an own device is meant is
// checked again at every publish.
func (h *Host) Grant(plugin string, bundled bool, permissions json.RawMessage, d *pb.Description) (*pb.Grant, error) {
	n, ok := h.entry(plugin)
	if !ok {
		return nil, &GrantError{"plugin " + plugin + " has no entry in the config"}
	}
	m, err := manifest.FromJSON([]byte(d.GetManifest()))
	if err != nil {
		return nil, &GrantError{fmt.Sprintf("plugin %s: its manifest cannot be read: %v", plugin, err)}
	}
	narrow, err := manifest.ParseNarrowing(permissions)
	if err != nil {
		return nil, &GrantError{fmt.Sprintf("plugin %s: %v", plugin, err)}
	}
	for _, f := range slices.Concat(m.Permissions.Publish, m.Permissions.Subscribe) {
		if err := event.CheckFilter(f); err != nil {
			return nil, &GrantError{fmt.Sprintf("plugin %s: its manifest: permissions: %v", plugin, err)}
		}
	}
	p := manifest.Narrow(m.Permissions, narrow)
	if !bundled {
		p = manifest.Unsigned(m.Permissions, h.devicesOf(n), narrow)
	}
	g := p.Grant([]string{"own"})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.grant, n.permissions = g, p
	return g, nil
}

// devicesOf are the cameras and chimes whose entries name the plugin.
func (h *Host) devicesOf(n *entry) []string {
	n.mu.Lock()
	out := slices.Clone(n.chimes)
	n.mu.Unlock()
	for _, c := range h.Cameras.Cameras() {
		if c.Plugin == n.Name {
			out = append(out, c.ID)
		}
	}
	return out
}

// Permissions is what the plugin was granted when it was last started.
func (h *Host) Permissions(plugin string) (manifest.Permissions, bool) {
	n, ok := h.entry(plugin)
	if !ok {
		return manifest.Permissions{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.permissions, n.grant != nil
}
