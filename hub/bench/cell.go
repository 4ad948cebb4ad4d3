package main

import (
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// cell is one combination that is measured: who presses over which bus, who notes,
// and what else goes on.
type cell struct {
	bell, taker, bus, kind string
	wait                   bool          // a press waits for the last one's answer
	gap                    time.Duration // between presses

	loads     []string // parts that make the load
	loadKind  string   // empty: none
	perSecond float64  // of all loads together

	server int // pid of the process in the middle; 0: its cost does not matter
}

// measured is what came of it, over all rounds.
type measured struct {
	delivered, acked times
	lost, refused    int
	loadDone, wanted int           // events of the load
	cpu              time.Duration // of the server, from the load's begin to its end
	loadCPU          time.Duration // of the processes of the load
	why              string
}

const (
	// ramp lets a load become steady before the first press.
	ramp = 400 * time.Millisecond
	// settle waits for what is still on its way.
	settle = 300 * time.Millisecond
)

// run presses for so long and adds to m.
func (b *bench) run(c cell, m *measured, d time.Duration) error {
	if _, err := b.ctl.ask(b.ctx, c.taker, part.Order{Op: "note"}); err != nil {
		return err
	}
	var loads []<-chan part.Answer
	before, loadBefore := cpuTime(c.server), b.ctl.cpu(c.loads)
	if c.loadKind != "" {
		for _, name := range c.loads {
			w, err := b.ctl.send(name, part.Order{Op: "load", Bus: c.bus, Kind: c.loadKind,
				PerSecond: c.perSecond / float64(len(c.loads)), For: ramp + d + settle})
			if err != nil {
				return err
			}
			loads = append(loads, w)
		}
		if err := b.pause(ramp); err != nil {
			return err
		}
	}
	a, err := b.ctl.ask(b.ctx, c.bell, part.Order{Op: "press", Bus: c.bus, Kind: c.kind, Count: int(d / c.gap), Gap: c.gap, Wait: c.wait})
	if err != nil {
		return err
	}
	for _, w := range loads {
		select {
		case l := <-w:
			m.loadDone += l.Acked
			if l.Err != "" {
				m.why = l.Err
			}
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
	}
	m.cpu += cpuTime(c.server) - before
	m.loadCPU += b.ctl.cpu(c.loads) - loadBefore
	if c.loadKind != "" {
		m.wanted += int(c.perSecond * (ramp + d + settle).Seconds())
	}
	if err := b.pause(settle); err != nil {
		return err
	}
	notes, err := b.ctl.ask(b.ctx, c.taker, part.Order{Op: "notes"})
	if err != nil {
		return err
	}
	m.refused += a.Refused
	if a.Err != "" {
		m.why = a.Err
	}
	for _, p := range a.Presses {
		m.acked = append(m.acked, p.Acked)
		if at, ok := notes.Notes[p.ID]; ok {
			m.delivered = append(m.delivered, time.Duration(at-p.At))
		} else {
			m.lost++
		}
	}
	return nil
}

// sound tells what keeps the cell from being a figure, in words; empty: nothing.
func (m *measured) sound() string {
	switch {
	case m.lost+m.refused > 0:
		return fmt.Sprintf("%d presses did not arrive and %d were refused (%s)", m.lost, m.refused, m.why)
	case m.loadDone*100 < m.wanted*95:
		return fmt.Sprintf("only %d of %d events of the load were taken in time (%s)", m.loadDone, m.wanted, m.why)
	}
	return ""
}

// peers are the processes that the house is compared with, and their buses as a part's arguments.
type peers struct {
	children []*child
	buses    []string
	servers  map[string]int // pid, by bus
}

func (p *peers) end() {
	for _, c := range p.children {
		c.end()
	}
}

// startPeer starts one and gives its first line, where it speaks, and its pid.
func (b *bench) startPeer(p *peers, speaks bool, args ...string) (line string, pid int, err error) {
	c, err := b.startChild(speaks, args...)
	if err != nil {
		return "", 0, err
	}
	// The last started ends first: parts before what they are connected to.
	p.children = append([]*child{c}, p.children...)
	return c.first, c.cmd.Process.Pid, nil
}

// relays starts the bare relays.
func (b *bench) relays(p *peers, kinds ...string) error {
	for _, kind := range kinds {
		addr, pid, err := b.startPeer(p, true, "relay", kind, fmt.Sprintf("%s/%s%d", b.dir, kind, now()))
		if err != nil {
			return err
		}
		p.buses = append(p.buses, kind+"="+kind+"="+addr)
		p.servers[kind] = pid
	}
	return nil
}

// join starts parts of the peers, each on all buses that were started before.
func (b *bench) join(p *peers, names ...string) error {
	for _, n := range names {
		if _, _, err := b.startPeer(p, false, append([]string{"part", b.ctl.socket(), n}, p.buses...)...); err != nil {
			return err
		}
	}
	return b.ctl.await(b.ctx, names...)
}
