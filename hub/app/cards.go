package app

import (
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// hubOwner is the owner of the hub's own cards; no plugin entry can have that name
// with a colon in it.
const hubOwner = ":hub"

// cards shows a plugin's open repair cards among its parts: pages and command line
// tell them in the same place as what the plugin says of itself.
type cards struct {
	room
	repairs *host.Repairs
	// granted tells what a plugin may do, once it was started.
	granted func(plugin string) (manifest.Permissions, bool)
}

// Permissions of a plugin, for its card.
func (c cards) Permissions(plugin string) (manifest.Permissions, bool) { return c.granted(plugin) }

// room has a name of its own because an embedded Plugins would hide its method Plugins.
type room = api.Plugins

func (c cards) Plugins() []api.Plugin {
	list := c.room.Plugins()
	for i := range list {
		c.add(&list[i])
	}
	return list
}

func (c cards) Plugin(name string) (api.Plugin, bool) {
	p, ok := c.room.Plugin(name)
	if ok {
		c.add(&p)
	}
	return p, ok
}

func (c cards) add(p *api.Plugin) {
	for _, r := range c.repairs.List() {
		if r.Owner == p.Name {
			p.Parts = append(p.Parts, api.Part{Name: r.Title, State: "degraded", Reason: r.Effect, Fix: r.Fix, Since: r.Since})
		}
	}
	if may, ok := c.granted(p.Name); ok {
		p.Grants = words.Grants(may)
	}
}

// ownCards are those of the hub itself; a plugin's stand on its own card.
func (h *Hub) ownCards() []api.Card {
	var out []api.Card
	for _, r := range h.host.Repairs().List() {
		if r.Owner == hubOwner {
			out = append(out, api.Card{Key: r.Key, Title: r.Title, Effect: r.Effect, Fix: r.Fix, Code: r.Code, Since: r.Since})
		}
	}
	return out
}
