package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

const (
	// bridgeKeeps is how long the peer answers with the picture that it has.
	bridgeKeeps = 3 * time.Second
	// pressEvery lets what a press starts end: with ours, the picture of who is there.
	pressEvery = 250 * time.Millisecond
	// homeViewers at once: as many as a phone and a television.
	homeViewers = 2
)

// home is a doorbell in Apple Home, ours and the peer's, with the same controllers.
func (b *bench) home(f *farm, _ string) error {
	t, err := b.newHomes(f)
	if err != nil {
		return err
	}
	defer t.end()
	b.page.section("Apple Home", "One doorbell on one RTSP camera of 4 Mb/s at 1920x1080 with a key frame each 4 s, no sound. The peer is "+bridgeName+" (its own doorbell library in 2.2.3, since 2.2.2 is not to be had) "+
		"on Node 22.23.3 with homebridge-camera-ffmpeg 3.1.4 and the ffmpeg that ours uses too; once as it comes, which makes the pictures anew, and once set to copy them. "+
		fmt.Sprintf("The same %d controllers, of the bench's own, are paired with each and stay connected; both doorbells are rung by an HTTP request on a connection that is open. ", homeControllers)+
		fmt.Sprintf("Viewers ask for 1920x1080 at %d pictures a second and %d kb/s and open SRTP without a decoder; the first key frame counts from the first write of the dialog.", homeFPS, homeKbps))
	err = errors.Join(b.homeRings(t), b.homeCost(t), b.homeLooks(t))
	b.page.say("The aim for the p95 of snapshots is 300 ms. Memory is before the first picture for a tile: the decoder that makes those is one ffmpeg for the whole hub, which stays for five minutes.")
	return err
}

// homeRings: from the request that rings to the event, at each controller, while all read.
func (b *bench) homeRings(t *homes) error {
	var ours, peer heard
	for range b.rounds(4, 2) {
		for _, s := range []struct {
			side *homeSide
			to   *heard
		}{{t.ours, &ours}, {t.copied, &peer}} {
			if err := s.side.rings(b.ctx, b.rounds(10, 5), pressEvery, s.to); err != nil {
				return t.house.failed(err)
			}
		}
	}
	lost := ""
	if ours.lost+peer.lost > 0 {
		lost = fmt.Sprintf("; **%d presses did not come with ours, %d with the peer**", ours.lost, peer.lost)
	}
	what := fmt.Sprintf("ring to event, %d controllers that read", homeControllers)
	b.page.add(row{what: what + ", median", peerName: bridgeName, peer: ms(peer.took.p50()), floor: none, ours: ms(ours.took.p50()), unit: "ms", goal: none})
	b.page.add(row{what: what + ", p95" + lost, peerName: bridgeName, peer: ms(peer.took.at(0.95)), floor: none, ours: ms(ours.took.at(0.95)), unit: "ms", goal: 1,
		miss: "Ours crosses from the hub's process to the plugin's, by nine goroutines of which some wake a thread; each may wait for a turn where other work has the cores. The journal is not waited for."})
	return nil
}

// looks are what people wait for: pictures and the first key frame.
type looks struct{ tile, pressed, copied, coded times }

func (b *bench) homeLooks(t *homes) error {
	var ours, peer looks
	for round := range b.rounds(5, 2) {
		if err := b.ourLooks(t.ours, &ours); err != nil {
			return t.house.failed(err)
		}
		if err := b.peerLooks(t, &peer); err != nil {
			return err
		}
		if err := b.elsewhere(round); err != nil {
			return err
		}
	}
	for _, r := range []struct {
		what, name string
		peer, ours times
		goal       float64
		miss       string
	}{
		{"snapshot of 1280x720 for a tile", bridgeName, peer.tile, ours.tile, 0.15, ""},
		{"snapshot of 1280x720 for a press", bridgeName, peer.pressed, ours.pressed, 0.15, "It is taken after the press."},
		{"first key frame after start", bridgeName + ", libx264", peer.coded, ours.copied, 0.1, ""},
		{"first key frame after start", bridgeName + ", copy", peer.copied, ours.copied, 0.1, ""},
	} {
		b.page.add(row{what: r.what + ", mean", peerName: r.name, peer: ms(r.peer.mean()), floor: none, ours: ms(r.ours.mean()), unit: "ms", goal: r.goal, miss: r.miss})
	}
	b.page.add(row{what: "both snapshots, p95", peerName: bridgeName, peer: ms(append(peer.tile, peer.pressed...).at(0.95)), floor: none, ours: ms(append(ours.tile, ours.pressed...).at(0.95)), unit: "ms", goal: none})
	return nil
}

// ourLooks takes one sample of each.
func (b *bench) ourLooks(s *homeSide, to *looks) error {
	d, err := s.still(b.ctx, 1, controller.Periodic)
	if err != nil {
		return err
	}
	to.tile = append(to.tile, d)
	if d, err = s.pressedStill(b.ctx); err != nil {
		return err
	}
	to.pressed = append(to.pressed, d)
	d, err = s.glance(b.ctx)
	to.copied = append(to.copied, d)
	return err
}

// peerLooks takes them side by side where they wait for the same key frame: nearly all
// of their time is that.
func (b *bench) peerLooks(t *homes, to *looks) error {
	var tile, pressed, copied, coded time.Duration
	errs := make([]error, 4)
	var all sync.WaitGroup
	// What was answered lately is answered again from memory, here by nobody.
	if err := b.pause(bridgeKeeps / 10); err != nil {
		return err
	}
	for _, f := range []func(){
		func() { tile, errs[0] = t.copied.still(b.ctx, 1, controller.Periodic) },
		func() { copied, errs[1] = t.copied.glance(b.ctx) },
		func() { pressed, errs[2] = t.coded.pressedStill(b.ctx) },
		func() { coded, errs[3] = t.coded.glance(b.ctx) },
	} {
		all.Go(f)
	}
	all.Wait()
	to.tile, to.pressed, to.copied, to.coded = append(to.tile, tile), append(to.pressed, pressed), append(to.copied, copied), append(to.coded, coded)
	return errors.Join(errs...)
}

// still asks for one picture.
func (s *homeSide) still(ctx context.Context, by, reason int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	at := now()
	picture, err := s.conns[by].Resource(ctx, s.bell.AID, 1280, 720, reason)
	took := since(at)
	if err == nil {
		_, err = jpeg.DecodeConfig(bytes.NewReader(picture))
	}
	if err != nil {
		return 0, fmt.Errorf("%s: snapshot: %w", s.name, err)
	}
	return took, nil
}

// pressedStill rings, and asks for the picture when the ring is heard, as a phone does.
func (s *homeSide) pressedStill(ctx context.Context) (time.Duration, error) {
	var h heard
	if err := s.press(ctx, 1, 0, &h); err != nil {
		return 0, err
	}
	return s.still(ctx, 2, controller.ForEvent)
}

// glance starts a stream and ends it with its first key frame.
func (s *homeSide) glance(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	v, err := see(ctx, s.conns[0], s.views[0])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	defer v.leave()
	d, err := v.showing(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return d, nil
}

// homeCost: processor time and memory, with nobody watching and with viewers.
func (b *bench) homeCost(t *homes) error {
	sides := []*homeSide{t.ours, t.copied, t.coded}
	var idle, watched, rest, seen [3][]float64
	lost := ""
	for range b.rounds(2, 1) {
		if err := b.homeIdle(sides, &idle, &rest); err != nil {
			return err
		}
		for i, s := range sides {
			got, err := b.homeWatched(s, homeViewers, b.seconds(4, 2))
			if err != nil {
				return t.house.failed(err)
			}
			watched[i], seen[i] = append(watched[i], got.perMinute()), append(seen[i], got.pss)
			if got.seen.Lost > 0 {
				lost += fmt.Sprintf("; **%s lost %d packets**", s.name, got.seen.Lost)
			}
		}
	}
	added := func(i int) float64 { return (median(watched[i]) - median(idle[i])) / homeViewers }
	for _, r := range []struct {
		peer int
		goal float64
		miss string
	}{{2, 0.1, ""}, {1, 1, ""}} {
		b.page.add(row{what: "processor time a minute for each of two viewers" + lost, peerName: sides[r.peer].name, peer: added(r.peer), floor: none, ours: added(0), unit: "s", goal: r.goal, miss: r.miss})
		b.page.add(row{what: "the whole tree with them, our pull included", peerName: sides[r.peer].name, peer: median(watched[r.peer]), floor: none, ours: median(watched[0]), unit: "s", goal: none})
		lost = ""
	}
	b.page.add(row{what: "the whole tree with nobody watching, our pull included", peerName: bridgeName, peer: median(idle[1]), floor: none, ours: median(idle[0]), unit: "s", goal: none})
	small := "The hub is in it with all that it is besides, and the ring with its last 4 s of pictures."
	b.page.add(row{what: "memory of the whole tree, nobody watching", peerName: bridgeName, peer: median(rest[1]), floor: none, ours: median(rest[0]), unit: "MB", goal: 0.4, miss: small})
	b.page.add(row{what: "the same with two viewers", peerName: sides[2].name, peer: median(seen[2]), floor: none, ours: median(seen[0]), unit: "MB", goal: 0.4, miss: small})
	b.page.add(row{what: "the same with two viewers", peerName: sides[1].name, peer: median(seen[1]), floor: none, ours: median(seen[0]), unit: "MB", goal: none})
	return nil
}

// homeIdle measures all sides at once with nobody watching.
func (b *bench) homeIdle(sides []*homeSide, cpu, pss *[3][]float64) error {
	if err := b.pause(b.seconds(1.5, 0.7)); err != nil { // what was ended is over
		return err
	}
	at := now()
	var before [3]time.Duration
	for i, s := range sides {
		var err error
		if before[i], err = treeCPU(s.pid); err != nil {
			return err
		}
	}
	if err := b.pause(b.seconds(3, 2)); err != nil {
		return err
	}
	for i, s := range sides {
		used, err := treeCPU(s.pid)
		if err != nil {
			return err
		}
		m, err := treePSS(s.pid)
		if err != nil {
			return err
		}
		cpu[i], pss[i] = append(cpu[i], turn{cpu: used - before[i], took: since(at)}.perMinute()), append(pss[i], m)
	}
	return nil
}
