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

// ownDevices is what an executable of the owner's gets where its entry names no
// permissions: it may speak and show pictures for its own devices, nothing else.
func ownDevices() manifest.Permissions {
	return manifest.Permissions{
		Publish: []string{"camera.**", "device.*.status", "chime.**"},
		Media:   manifest.Media{Publish: true},
	}
}

// Grant is what the manifest asks for and the config leaves of it. A bundled
// plugin has its manifest's whole; an executable by path has what its entry
// names. That an own device is meant is checked at every publish.
func (h *Host) Grant(plugin string, bundled bool, permissions json.RawMessage, d *pb.Description) (*pb.Grant, error) {
	n, ok := h.entry(plugin)
	if !ok {
		return nil, &GrantError{"plugin " + plugin + " has no entry in the config"}
	}
	m, err := manifest.FromJSON([]byte(d.GetManifest()))
	if err != nil {
		return nil, &GrantError{fmt.Sprintf("plugin %s: its manifest cannot be read: %v", plugin, err)}
	}
	p := m.Permissions
	if len(permissions) > 0 && string(permissions) != "null" {
		var narrow manifest.Permissions
		if err := json.Unmarshal(permissions, &narrow); err != nil {
			return nil, &GrantError{fmt.Sprintf("plugin %s: permissions: %v", plugin, err)}
		}
		if !bundled {
			permissions = nil // what the entry does not name is not given
		}
		p = both(p, narrow, permissions)
	} else if !bundled {
		p = both(p, ownDevices(), nil)
	}
	for _, f := range slices.Concat(p.Publish, p.Subscribe) {
		if err := event.CheckFilter(f); err != nil {
			return nil, &GrantError{fmt.Sprintf("plugin %s: permissions: %v", plugin, err)}
		}
	}
	g := &pb.Grant{Publish: p.Publish, Subscribe: p.Subscribe, Commands: p.Commands, MediaPublish: p.Media.Publish,
		MediaRead: p.Media.Read, Talk: p.Talk, StorageBytes: uint64(p.Storage), Discovery: p.Discovery, Devices: p.Devices}
	if p.Secrets == "own" {
		g.Secrets = []string{"own"}
	}
	n.mu.Lock()
	n.grant, n.permissions = g, p
	n.mu.Unlock()
	return g, nil
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

// both is what two sets of permissions have in common. A key that the owner did
// not write (raw given) leaves the manifest's.
func both(m, o manifest.Permissions, raw json.RawMessage) manifest.Permissions {
	written := func(string) bool { return true }
	if raw != nil {
		var keys map[string]json.RawMessage
		if json.Unmarshal(raw, &keys) == nil {
			written = func(k string) bool { _, ok := keys[k]; return ok }
		}
	}
	out := m
	if written("publish") {
		out.Publish = common(m.Publish, o.Publish)
	}
	if written("subscribe") {
		out.Subscribe = common(m.Subscribe, o.Subscribe)
	}
	if written("commands") {
		out.Commands = common(m.Commands, o.Commands)
	}
	if written("discovery") {
		out.Discovery = common(m.Discovery, o.Discovery)
	}
	if written("devices") {
		out.Devices = common(m.Devices, o.Devices)
	}
	if written("media") {
		out.Media = manifest.Media{Publish: m.Media.Publish && o.Media.Publish, Read: m.Media.Read && o.Media.Read}
	}
	if written("talk") {
		out.Talk = m.Talk && o.Talk
	}
	if written("secrets") && o.Secrets != m.Secrets {
		out.Secrets = ""
	}
	if written("storage") {
		out.Storage = min(m.Storage, o.Storage)
	}
	return out
}

// common filters: those of one side that the other covers.
func common(a, b []string) []string {
	var out []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, f := range pair[0] {
			if covered(pair[1], f) && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}
