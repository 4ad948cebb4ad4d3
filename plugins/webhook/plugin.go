package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

// New makes the plugin.
func New() sdk.Plugin { return &plugin{ready: make(chan struct{}), now: time.Now} }

// plugin is all chimes that name it.
type plugin struct {
	ready chan struct{} // closed when Run has begun
	now   func() time.Time

	mu     sync.Mutex
	hub    *sdk.Hub
	chimes map[string]*chime
}

// secretsWithin is how long a ring waits for the hub to tell its secrets, before those
// known will do.
const secretsWithin = time.Second

// chime is one receiver.
type chime struct {
	name     string
	settings settings

	mu     sync.Mutex
	caller *caller // nil until its secrets were looked up
	health sdk.Part
}

// Check finds what the schema cannot.
func (p *plugin) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var out []sdk.Problem
	if err := c.Decode(&struct{}{}); err != nil {
		out = append(out, sdk.Problem{Path: "/", Message: "the settings are no block of keys", Fix: "leave them out: this plugin has none"})
	}
	for _, d := range c.Devices {
		var s settings
		if err := d.Decode(&s); err != nil {
			out = append(out, sdk.Problem{Path: "devices/" + d.ID, Message: "has a key of the wrong kind", Fix: "url, method, body and the like are text; headers is a block of texts"})
			continue
		}
		for _, b := range s.check() {
			out = append(out, sdk.Problem{Path: "devices/" + d.ID + "/" + b.key, Message: b.message, Fix: b.fix})
		}
	}
	return out
}

// Run looks the secrets up ahead of the first ring, and has then nothing more to do.
func (p *plugin) Run(ctx context.Context, hub *sdk.Hub) error {
	p.mu.Lock()
	p.hub = hub
	p.mu.Unlock()
	p.apply(hub.Devices())
	close(p.ready)
	p.warm(ctx)
	<-ctx.Done()
	return ctx.Err()
}

// Reconfigure takes other receivers; a change of a secret comes this way too.
func (p *plugin) Reconfigure(_ context.Context, c sdk.Config) error {
	p.apply(c.Devices)
	return nil
}

// apply keeps what a chime that stays has to tell of itself.
func (p *plugin) apply(devices []sdk.Device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[string]*chime{}
	for _, d := range devices {
		c := &chime{name: d.Name, health: sdk.Part{Name: "chime " + d.ID, State: sdk.PartOK, Since: p.now()}}
		if err := d.Decode(&c.settings); err != nil {
			c.health.State, c.health.Reason, c.health.Fix = sdk.PartFailed, "its keys are of the wrong kind", "see config validate"
		} else if bad := c.settings.check(); len(bad) > 0 {
			c.health.State, c.health.Reason, c.health.Fix = sdk.PartFailed, bad[0].Error(), bad[0].fix
		} else if old := p.chimes[d.ID]; old != nil && old.settings.same(c.settings) {
			c.health = old.part()
		}
		next[d.ID] = c
	}
	p.chimes = next
}

// warm makes the callers ready; what fails shows at the first ring.
func (p *plugin) warm(ctx context.Context) {
	p.mu.Lock()
	all := slices.Collect(maps.Values(p.chimes))
	p.mu.Unlock()
	for _, c := range all {
		if _, err := c.ready(ctx, p.hub); err != nil && ctx.Err() == nil {
			p.hub.Log().Warn("webhook is not ready", "chime", c.part().Name, "error", err.Error())
		}
	}
}

// vault is the hub as far as it keeps secrets.
type vault interface {
	Secret(ctx context.Context, name string) (sdk.Secret, error)
}

// ready gives the caller, with the secrets as they are now; where they cannot be had in
// time, as they were.
func (c *chime) ready(ctx context.Context, hub vault) (*caller, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.caller != nil && !c.settings.hidden() {
		return c.caller, nil
	}
	ctx, cancel := context.WithTimeout(ctx, secretsWithin)
	defer cancel()
	s, err := c.settings.reveal(func(name string) (string, error) {
		v, err := hub.Secret(ctx, name)
		return v.Reveal(), err
	})
	switch {
	case err != nil && c.caller != nil:
		return c.caller, nil
	case err != nil:
		return nil, err
	case c.caller != nil && c.caller.settings.same(s):
		return c.caller, nil
	}
	x, err := newCaller(s)
	if err != nil {
		return nil, err
	}
	c.caller = x
	return x, nil
}

func (c *chime) part() sdk.Part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}

// told notes how the last ring went.
func (c *chime) told(state sdk.PartState, reason, fix string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.health.State != state || c.health.Reason != reason {
		c.health = sdk.Part{Name: c.health.Name, State: state, Reason: reason, Fix: fix, Since: now}
	}
}

// Play calls the receiver, and answers when that has answered.
func (p *plugin) Play(ctx context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	arrived := p.now()
	select {
	case <-p.ready:
	case <-ctx.Done():
		return sdk.PlayResult{Reason: "the plugin is starting"}, nil
	}
	p.mu.Lock()
	c, hub := p.chimes[r.Chime], p.hub
	p.mu.Unlock()
	if c == nil {
		return sdk.PlayResult{}, fmt.Errorf("chime %q: %w", r.Chime, sdk.ErrNotFound)
	}
	result := sdk.PlayResult{Sound: r.Sound}
	if result.Sound == "" {
		result.Sound = c.settings.Sound
	}
	if bad := c.settings.check(); len(bad) > 0 {
		result.Reason = bad[0].Error() + "; " + bad[0].fix
		return result, nil
	}
	call, err := c.ready(ctx, hub)
	if err == nil {
		err = call.ring(ctx, newWords(r, c.name, result.Sound, hub.Name(), p.now().In(hub.Location())))
	}
	if err != nil {
		reason, fix := err.Error(), ""
		var hint interface{ Hint() string }
		if errors.As(err, &hint) {
			fix = hint.Hint()
		}
		c.told(sdk.PartDegraded, "the last ring was not heard: "+reason, fix, p.now())
		if result.Reason = reason; fix != "" {
			result.Reason += "; " + fix
		}
		return result, nil
	}
	c.told(sdk.PartOK, "", "", p.now())
	result.Played, result.Took = true, p.now().Sub(arrived)
	return result, nil
}

// Health tells of each chime how its last ring went.
func (p *plugin) Health(context.Context) []sdk.Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []sdk.Part
	for _, id := range slices.Sorted(maps.Keys(p.chimes)) {
		out = append(out, p.chimes[id].part())
	}
	return out
}

// SelfCheck tells the same. It rings nobody.
func (p *plugin) SelfCheck(ctx context.Context, _ bool) []sdk.CheckLine {
	var out []sdk.CheckLine
	for _, part := range p.Health(ctx) {
		l := sdk.CheckLine{State: "ok", What: part.Name, Why: part.Reason, Fix: part.Fix}
		switch part.State {
		case sdk.PartDegraded:
			l.State = "warn"
		case sdk.PartFailed:
			l.State = "fail"
		}
		out = append(out, l)
	}
	return out
}
