package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
	"github.com/porchlight-hub/porchlight/hub/store"
)

// rates is what an owner writes who lets a plugin publish that much.
const rates = "limits: {rates: {critical: {per_second: 2000, burst: 2000}, normal: {per_second: 2000, burst: 2000}}}"

// pluginYAML is the entry of one plugin of the bench.
func (b *bench) pluginYAML(name, permissions, limits string) string {
	return fmt.Sprintf("  %s: {path: %s, permissions: {%s}, config: {control: %s}, %s}\n", name, b.plugin, permissions, b.ctl.socket(), limits)
}

const doorbell = "kind: doorbell, ring: {debounce: 0s, ignore_older_than: 15s}"

// insertGap is the pause between events that wait for each other.
const insertGap = 8 * time.Millisecond

// hop measures the way of one event from plugin to plugin and into the journal.
func (b *bench) hop() error {
	h, err := b.newHouse("plugins:\n" + b.pluginYAML("bell", `publish: ["camera.*.ring", "camera.*.motion"], subscribe: []`, rates) +
		b.pluginYAML("taker", `publish: [], subscribe: ["camera.*.ring", "camera.*.motion"]`, rates) +
		"cameras:\n  front_door: {plugin: bell, " + doorbell + "}\n")
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	defer h.stop()
	p := &peers{servers: map[string]int{}}
	defer p.end()
	if err := b.relays(p, "raw", "grpc"); err != nil {
		return err
	}
	if err := b.join(p, "taker-peer", "bell-peer"); err != nil {
		return err
	}
	if err := b.ctl.await(b.ctx, "bell", "taker"); err != nil {
		return h.failed(err)
	}
	var hubRing, hubMotion, raw, grpc measured
	var full, normal times
	for round := range b.rounds(3, 1) {
		for _, c := range []struct {
			cell
			m *measured
		}{
			{cell{bell: "bell", taker: "taker", bus: "hub", kind: part.Ring}, &hubRing},
			{cell{bell: "bell-peer", taker: "taker-peer", bus: "grpc", kind: part.Ring}, &grpc},
			{cell{bell: "bell-peer", taker: "taker-peer", bus: "raw", kind: part.Ring}, &raw},
			{cell{bell: "bell", taker: "taker", bus: "hub", kind: part.Motion}, &hubMotion},
		} {
			c.wait, c.gap = true, insertGap
			if err := b.run(c.cell, c.m, b.seconds(1.5, 0.8)); err != nil {
				return h.failed(err)
			}
		}
		for sync, t := range map[string]*times{"FULL": &full, "NORMAL": &normal} {
			if err := b.inserts(fmt.Sprintf("%s%d.db", sync, round), sync, b.rounds(200, 80), t); err != nil {
				return err
			}
		}
	}
	b.hopRows(&hubRing, &hubMotion, &raw, &grpc, full, normal)
	return nil
}

func (b *bench) hopRows(hubRing, hubMotion, raw, grpc *measured, full, normal times) {
	b.page.section("One event", "Plugin process to hub to plugin process, one at a time, medians. The peer of a delivery is the round trip of a bare gRPC stream over a Unix socket "+
		"(one process and back; its relay hands on to a third process as the hub does), of an acknowledgement a bare SQLite insert of the same size (WAL); the floor is raw frames over a Unix socket.")
	rtt := ms(grpc.acked.p50())
	b.page.add(row{what: "ring: publish to delivered", peerName: "gRPC round trip", peer: rtt, floor: ms(raw.delivered.p50()), ours: ms(hubRing.delivered.p50()), unit: "ms", goal: 5,
		miss: "The way through the hub costs more than five round trips here."})
	b.page.add(row{what: "motion: publish to delivered", peerName: "gRPC round trip", peer: rtt, floor: ms(raw.delivered.p50()), ours: ms(hubMotion.delivered.p50()), unit: "ms", goal: 5,
		miss: "The way through the hub costs more than five round trips here."})
	b.page.add(row{what: "ring: publish to delivered", peerName: "bare gRPC relay", peer: ms(grpc.delivered.p50()), floor: ms(raw.delivered.p50()), ours: ms(hubRing.delivered.p50()), unit: "ms", goal: none})
	b.page.add(row{what: "ring: publish to acknowledged (synced)", peerName: "insert, synchronous=FULL", peer: ms(full.p50()), floor: rtt, ours: ms(hubRing.acked.p50()), unit: "ms", goal: 2,
		miss: "An answer also crosses two processes each way, which the bare insert does not, and where a sync is cheap that weighs more than the sync."})
	b.page.add(row{what: "ring: publish to acknowledged (synced), p99", peerName: "insert, synchronous=FULL", peer: ms(full.p99()), floor: ms(grpc.acked.p99()), ours: ms(hubRing.acked.p99()), unit: "ms", goal: none})
	b.page.add(row{what: "motion: publish to acknowledged", peerName: "insert, synchronous=NORMAL", peer: ms(normal.p50()), floor: rtt, ours: ms(hubMotion.acked.p50()), unit: "ms", goal: none})
	for name, m := range map[string]*measured{"ring, hub": hubRing, "motion, hub": hubMotion, "raw": raw, "gRPC": grpc} {
		// A taker of the peers hears rings only.
		if s := m.sound(); s != "" {
			b.page.say("No figure: %s: %s.", name, s)
		}
	}
}

// inserts is the floor of a journal: the same bytes into a bare table.
func (b *bench) inserts(name, sync string, count int, t *times) error {
	db, err := store.OpenSQLite(b.ctx, filepath.Join(b.dir, name), "synchronous("+sync+")")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(b.ctx, `CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT, body BLOB)`); err != nil {
		return err
	}
	st, err := db.PrepareContext(b.ctx, `INSERT INTO events (id, body) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	defer st.Close()
	for i := range count {
		if err := b.pause(insertGap / 2); err != nil {
			return err
		}
		if err := insert(b, st, i, t); err != nil {
			return err
		}
	}
	return nil
}

func insert(b *bench, st *sql.Stmt, i int, t *times) error {
	at := now()
	_, err := st.ExecContext(b.ctx, fmt.Sprintf("%036d", i), make([]byte, 200))
	*t = append(*t, since(at))
	return err
}
