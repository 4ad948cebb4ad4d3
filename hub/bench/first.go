package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// Cameras of firstFrames: the first is always watched, the second never but by who is
// measured, and behind them one a round that is pulled only on demand.
const (
	warm = iota
	unwatched
	demanded
)

// firstFrames: from the dial until a whole key frame is there.
func (b *bench) firstFrames(f *farm, bin string) error {
	rounds := b.rounds(10, 2)
	urls := f.live(demanded+rounds, "4s")
	h, err := b.newHouse(strings.Join([]string{camerasYAML(urls[:demanded]), demandYAML(urls[demanded:])}, ""))
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	t := &three{house: h}
	defer func() { t.end() }()
	if t.web, err = h.login(b.ctx); err == nil {
		err = h.allLive(b.ctx, demanded)
	}
	if err == nil {
		t.ours, err = h.side(b.ctx, t.web)
	}
	if err != nil {
		return h.failed(err)
	}
	if err := t.addRival(b, bin, urls); err != nil {
		return err
	}
	// Somebody watches the first camera all the time, so that it runs at the peer's too.
	held, err := b.newWatchers()
	if err != nil {
		return err
	}
	defer held.end()
	if _, err := held.ask(part.Watch{Op: "open", Views: []part.View{*t.ours.view(part.MSE, warm), *t.peer.view(part.MSE, warm)}}); err != nil {
		return err
	}
	w, err := b.newWatchers()
	if err != nil {
		return err
	}
	defer w.end()
	ours, peer := map[string]times{}, map[string]times{}
	for round := range rounds {
		if err := b.firstRound(w, t, round, ours, peer); err != nil {
			return h.failed(err)
		}
	}
	b.firstRows(ours, peer)
	return nil
}

// demandYAML are cameras that are pulled only while somebody looks; they follow the ones
// of camerasYAML.
func demandYAML(urls []string) string {
	var yaml strings.Builder
	for i, u := range urls {
		fmt.Fprintf(&yaml, "  %s: {name: Camera %d, kind: camera, plugin: rtsp, pull: on_demand, source: {url: %q}}\n", cameraID(demanded+i), demanded+i, u)
	}
	return yaml.String()
}

var firstWays = []string{part.RTSP, part.MSE, part.MP4, part.WebRTC}

func (b *bench) firstRound(w *watchers, t *three, round int, ours, peer map[string]times) error {
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	one := func(key, way string, camera int) error {
		v := t.ours.view(way, camera)
		v.Hasty = true
		took, err := w.first(ctx, *v)
		if err == nil {
			ours[key] = append(ours[key], took...)
		}
		return err
	}
	for _, way := range firstWays {
		if err := one(way, way, warm); err != nil {
			return err
		}
	}
	if err := one("unwatched", part.RTSP, unwatched); err != nil {
		return err
	}
	if err := one("demanded", part.RTSP, demanded+round); err != nil {
		return err
	}
	// The peer's ways wait for the same key frame side by side: nearly all of their time is that.
	var views []part.View
	for _, way := range firstWays {
		v := t.peer.view(way, warm)
		v.Hasty = true
		views = append(views, *v)
	}
	views = append(views, *t.peer.view(part.RTSP, unwatched), *t.peer.view(part.RTSP, demanded+round))
	took, err := w.first(ctx, views...)
	if err != nil {
		return fmt.Errorf("%s: %w", rivalName, err)
	}
	for i, key := range append(firstWays[:len(firstWays):len(firstWays)], "unwatched", "demanded") {
		peer[key] = append(peer[key], took[i])
	}
	return b.elsewhere(round)
}

// elsewhere pauses so that the next round begins in another place between key frames of
// 4 s: each ends on one, because the peer waits for it.
func (b *bench) elsewhere(round int) error {
	const golden = 0.618034 // of it, so that any number of rounds is spread evenly
	_, part := math.Modf(float64(round+1) * golden)
	return b.pause(time.Duration(part * float64(4*time.Second)))
}

func (b *bench) firstRows(ours, peer map[string]times) {
	b.page.section("First key frame", "A camera of 4 Mb/s with a key frame each 4 s, already in its film when somebody connects to it: from the viewer's dial until a whole key frame is there, all dialogs and handshakes included; means. "+
		"A camera that is pulled on demand is connected to only then, on both sides; where it is asked for a key frame (RTCP PLI) the bench's camera sends one, as not all cameras do.")
	for _, r := range []struct {
		key, what string
		goal      float64
		miss      string
	}{
		{part.RTSP, "RTSP, another viewer is there", 0.01, ""},
		{part.MSE, "MSE, another viewer is there", 0.01, ""},
		{part.MP4, "MP4, another viewer is there", 0.01, ""},
		{part.WebRTC, "WebRTC, another viewer is there", 0.05, "ICE and DTLS of both ends are in it."},
		{"unwatched", "RTSP, nobody is watching", 0.01, ""},
		{"demanded", "RTSP, pulled on demand", 0.50, "Half the distance of the key frames goes by where the camera is not asked for one."},
	} {
		b.page.add(row{what: r.what, peerName: rivalName, peer: ms(peer[r.key].mean()), floor: none, ours: ms(ours[r.key].mean()), unit: "ms", goal: r.goal, miss: r.miss})
	}
}
