package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// settleTime is how long the hub waits until a saved file is still; no reload is faster.
const settleTime = 300 * time.Millisecond

// reload measures a save of a file of 500 lines: 98 bare buttons.
func (b *bench) reload() error {
	entries := func(changed string) string {
		var yaml strings.Builder
		yaml.WriteString("cameras:\n")
		for i := range 98 {
			name := fmt.Sprintf("Gate %d", i)
			if i == 50 {
				name = changed
			}
			fmt.Fprintf(&yaml, "  gate_%03d:\n    name: %s\n    kind: doorbell\n    ring:\n      debounce: 5s\n", i, name)
		}
		yaml.WriteString("chimes:\n  browser:\n    builtin: browser\n    sound: ding_dong\n")
		return yaml.String()
	}
	h, err := b.newHouse(entries("Gate 50"))
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	defer h.stop()
	file := filepath.Join(h.dir, "porchlight.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(string(text), "cameras:\n")
	ctx, cancel := context.WithTimeout(b.ctx, 4*hang)
	defer cancel()
	var took, check, bare times
	for i := range b.rounds(15, 3) {
		name := fmt.Sprintf("Gate of round %d", i)
		tmp := file + ".new"
		if err := os.WriteFile(tmp, []byte(head+entries(name)), 0o600); err != nil {
			return err
		}
		at := now()
		if err := os.Rename(tmp, file); err != nil {
			return err
		}
		err := until(ctx, "the new name", func() (bool, error) {
			c, err := h.client.Camera(ctx, "gate_050")
			return err == nil && c.Name == name, nil
		})
		if err != nil {
			return h.failed(err)
		}
		took = append(took, since(at))
		for _, c := range []struct {
			t    *times
			args []string
		}{{&check, []string{"config", "validate", file}}, {&bare, []string{"version"}}} {
			at := now()
			if out, err := exec.CommandContext(ctx, b.bin, c.args...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", c.args[0], err, out)
			}
			*c.t = append(*c.t, since(at))
		}
	}
	b.page.section("Reload of the YAML", fmt.Sprintf("A file of %d lines, in which one name changes, saved by renaming; medians. The floor is the time for which the hub waits until the file is still.",
		strings.Count(head+entries(""), "\n")))
	b.page.add(row{what: "from the save until the new name is in force", floor: ms(settleTime), peer: none, ours: ms(took.p50()), unit: "ms", goal: none})
	b.page.add(row{what: "`porchlight config validate` of it", peerName: "porchlight version", peer: ms(bare.p50()), floor: none, ours: ms(check.p50()), unit: "ms", goal: none})
	return nil
}
