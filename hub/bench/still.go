package main

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"os/exec"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// stills: one JPEG of now.
func (b *bench) stills(f *farm, bin string) error {
	urls := f.live(1, "4s")
	h, web, err := b.hot(urls)
	if err != nil {
		return err
	}
	t := &three{house: h, web: web}
	defer t.end()
	if err := t.addRival(b, bin, urls); err != nil {
		return err
	}
	// Somebody watches the peer, so that its stream runs.
	held, err := b.newWatchers()
	if err != nil {
		return err
	}
	defer held.end()
	if _, err := held.ask(part.Watch{Op: "open", Views: []part.View{*t.peer.view(part.MSE, 0)}}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, 4*hang)
	defer cancel()
	var ours, peer, bridge times
	// The first starts a decoder, which stays.
	if _, err := b.still(ctx, web, h.base+"/api/v1/cameras/"+cameraID(0)+"/snapshot.jpg"); err != nil {
		return h.failed(err)
	}
	for round := range b.rounds(6, 2) {
		a, err := b.still(ctx, web, h.base+"/api/v1/cameras/"+cameraID(0)+"/snapshot.jpg")
		if err != nil {
			return h.failed(err)
		}
		p, err := b.still(ctx, http.DefaultClient, t.rival.base+"/api/frame.jpeg?src="+cameraID(0))
		if err != nil {
			return fmt.Errorf("%s: %w", rivalName, err)
		}
		began := time.Now()
		out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", urls[0], "-frames:v", "1", "-f", "image2", "-c:v", "mjpeg", "-").Output()
		if err != nil || len(out) == 0 {
			return fmt.Errorf("ffmpeg: %d bytes: %w", len(out), err)
		}
		ours, peer, bridge = append(ours, a), append(peer, p), append(bridge, time.Since(began))
		if err := b.elsewhere(round); err != nil {
			return err
		}
	}
	b.page.section("Snapshot", "One JPEG at 1920x1080 of a camera with a key frame each 4 s that runs on both sides, by HTTP; means. Ours has made one before, so that its decoder runs; each is of a new key frame. As bridges do it: an ffmpeg that opens the camera's RTSP and takes one picture.")
	for _, r := range []struct {
		name string
		t    times
		goal float64
	}{{rivalName, peer, 0.05}, {"ffmpeg on RTSP", bridge, 0.03}} {
		b.page.add(row{what: "snapshot", peerName: r.name, peer: ms(r.t.mean()), floor: none, ours: ms(ours.mean()), unit: "ms", goal: r.goal,
			miss: "One key frame is decoded and made a JPEG; what is younger than a key frame's distance is answered from memory."})
	}
	return nil
}

func (b *bench) still(ctx context.Context, web *http.Client, url string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	at := now()
	res, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	picture, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	took := since(at)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("snapshot: status %s: %.200s", res.Status, picture)
	}
	if _, err := jpeg.DecodeConfig(bytes.NewReader(picture)); err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	return took, nil
}
