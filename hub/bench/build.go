package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Budgets of what a stranger waits for and loads.
const (
	buildBudget = 100.0 // s
	sizeBudget  = 30.0  // MB
)

// cold builds the hub with nothing built before, and looks at what comes out.
func (b *bench) cold() error {
	out := b.bin
	wall, cpu := none, none
	if !b.quick {
		cache, err := os.MkdirTemp(b.dir, "gocache")
		if err != nil {
			return err
		}
		out = filepath.Join(b.dir, "cold")
		cmd := goBuild(b.ctx, b.root, out, "./hub", "-p", "2")
		cmd.Env = append(cmd.Env, "GOCACHE="+cache)
		began := time.Now()
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, text)
		}
		wall = time.Since(began).Seconds()
		cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	b.page.section("Build", "The hub without cgo, stripped; cold: with an empty build cache and two compilers at a time, the modules there. The peer is the budget.")
	b.page.add(row{what: "cold build", peerName: "budget", peer: buildBudget, floor: none, ours: wall, unit: "s", goal: 1,
		miss: "It is processor time of two compilers; see the next line."})
	b.page.add(row{what: "processor time of it", floor: none, peer: none, ours: cpu, unit: "s", goal: none})
	b.page.add(row{what: "binary", peerName: "budget", peer: sizeBudget, floor: none, ours: float64(info.Size()) / 1e6, unit: "MB", goal: 1,
		miss: "Code with its line tables: the greatest are SQLite, crypto, protobuf, huma and gRPC (`go tool nm -size -sort size` on a build that is not stripped)."})
	if b.quick {
		b.page.say("The cold build is left out of a quick run.")
	}
	return nil
}
