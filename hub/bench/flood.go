package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

const (
	floodMotions = 1_000_000
	floodRings   = 10_000
)

// flood measures another plugin's presses while one publishes all that it can at the
// default limits.
func (b *bench) flood() error {
	h, err := b.newHouse("plugins:\n" + b.pluginYAML("bell", `publish: ["camera.*.ring"], subscribe: []`, rates) +
		b.pluginYAML("chime", "publish: [], subscribe: []", rates) +
		b.pluginYAML("broken", `publish: ["camera.*.ring", "camera.*.motion"], subscribe: []`, "optional: false") +
		"cameras:\n  front_door: {plugin: bell, " + doorbell + "}\n  shed: {plugin: broken, kind: doorbell}\n" +
		"chimes:\n  hall: {plugin: chime, sound: gong}\n")
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	defer h.stop()
	if err := b.ctl.await(b.ctx, "bell", "chime", "broken"); err != nil {
		return h.failed(err)
	}
	var idle, under measured
	var offered, taken int
	named := map[string]bool{}
	d := b.seconds(6, 2)
	rounds := b.rounds(2, 1)
	for range rounds {
		c := cell{bell: "bell", taker: "chime", bus: "hub", kind: part.Ring, gap: pressGap}
		if err := b.run(c, &idle, d); err != nil {
			return h.failed(err)
		}
		w, err := b.ctl.send("broken", part.Order{Op: "flood", Bus: "hub", Motions: floodMotions / rounds, Rings: floodRings / rounds, For: ramp + d + settle})
		if err != nil {
			return err
		}
		if err := b.pause(ramp); err != nil {
			return err
		}
		if err := b.run(c, &under, d); err != nil {
			return h.failed(err)
		}
		list, err := h.client.Plugins(b.ctx)
		if err != nil {
			return err
		}
		for _, n := range blamed(list) {
			named[n] = true
		}
		a := <-w
		offered, taken = offered+a.Sent, taken+a.Acked
	}
	b.page.section("Flood", "One plugin publishes 1,000,000 motions and 10,000 rings from 1,024 sides at the default limits, another one presses. The peer is the same house at rest, in the same run.")
	for _, q := range []float64{0.5, 0.99} {
		goal := none
		if q == 0.99 {
			goal = 2
		}
		b.page.add(row{what: fmt.Sprintf("press to Play under the flood, p%.0f", q*100), peerName: "at rest", peer: ms(idle.delivered.at(q)), floor: none, ours: ms(under.delivered.at(q)), unit: "ms", goal: goal,
			miss: "The flooding process and the hub's refusals take processor time beside bell and chime; one press in a hundred waits for its turn."})
	}
	who := "nobody"
	if len(named) > 0 {
		var list []string
		for n := range named {
			list = append(list, n)
		}
		slices.Sort(list)
		who = strings.Join(list, ", ")
	}
	b.page.say("While the presses lasted the flood got rid of %d events (the hub reads no faster; the rest waits in the broken plugin), of which %d were taken. Named by the hub: %s (it is `broken`).", offered, taken, who)
	for name, m := range map[string]*measured{"at rest": &idle, "flood": &under} {
		if s := m.sound(); s != "" {
			b.page.say("No figure: %s: %s.", name, s)
		}
	}
	return nil
}

// blamed are the plugins of which the hub says that they publish too much.
func blamed(list []api.Plugin) []string {
	var out []string
	for _, p := range list {
		text := p.Reason
		for _, part := range p.Parts {
			text += " " + part.Name + " " + part.Reason
		}
		if strings.Contains(text, "than its limits allow") || strings.Contains(text, "too much") {
			out = append(out, p.Name)
		}
	}
	return out
}
