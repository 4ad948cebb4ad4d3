package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// many is the house of performance.md's table.
const many = 16

// askEvery is the pace at which pages try to open cameras of a house that starts; a
// faster one would be a load of its own.
const askEvery = 10 * time.Millisecond

// farm is the bench's own cameras, in a process of their own.
type farm struct {
	*child
	films []film
}

func (b *bench) newFarm(films []film) (*farm, error) {
	args := []string{"cameras"}
	for _, f := range films {
		args = append(args, f.name+"="+f.path)
	}
	c, err := b.startChild(true, args...)
	if err != nil {
		return nil, err
	}
	return &farm{c, films}, nil
}

// urls of so many cameras that show the film with that distance of key frames.
func (f *farm) urls(n int, film string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("rtsp://%s/%s/%s", f.first, film, cameraID(i)))
	}
	return out
}

// camerasYAML is our config with these cameras.
func camerasYAML(urls []string) string {
	var yaml strings.Builder
	yaml.WriteString("cameras:\n")
	for i, u := range urls {
		fmt.Fprintf(&yaml, "  %s: {name: Camera %d, kind: camera, plugin: rtsp, source: {url: %q}}\n", cameraID(i), i, u)
	}
	return yaml.String()
}

// hot is a house with these cameras, all of them live, and a browser's login.
func (b *bench) hot(urls []string) (*house, *http.Client, error) {
	h, err := b.newHouse(camerasYAML(urls))
	if err != nil {
		return nil, nil, err
	}
	if err := h.start(b); err != nil {
		return nil, nil, h.failed(err)
	}
	web, err := h.login(b.ctx)
	if err == nil {
		err = h.allLive(b.ctx, len(urls))
	}
	if err != nil {
		h.stop()
		return nil, nil, h.failed(err)
	}
	return h, web, nil
}

// allLive waits until each camera's main stream is.
func (h *house) allLive(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	var last []api.Camera
	err := until(ctx, "cameras live", func() (bool, error) {
		list, err := h.client.Cameras(ctx)
		if err != nil {
			return false, nil
		}
		last = list
		live := 0
		for _, c := range list {
			for _, s := range c.Sources {
				if s.Stream == "main" && s.State == "live" {
					live++
				}
			}
		}
		return live == n, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; seen last: %+v", err, last)
	}
	return err
}

// cameras measures real RTSP cameras beside go2rtc.
func (b *bench) cameras() error {
	films, err := b.makeFilms()
	if err != nil {
		return err
	}
	bin, err := b.buildRival()
	if err != nil {
		return err
	}
	f, err := b.newFarm(films)
	if err != nil {
		return err
	}
	defer f.end()
	var failed error
	for _, what := range []func(*farm, string) error{b.firstPictures, b.launches, b.pulling, b.fanOut, func(*farm, string) error { return b.reload() }} {
		failed = errors.Join(failed, what(f, bin))
	}
	return failed
}

// firstPictures: a page opens a stream that runs.
func (b *bench) firstPictures(f *farm, bin string) error {
	b.page.section("First picture by MSE", "One RTSP camera of 4 Mb/s that is pulled already, opened by one more page, at moments spread over the distance of its key frames: "+
		"from the dial of the WebSocket to the first message with pictures; means. The peer is "+rivalName+" on the same camera in the same run.")
	for _, film := range f.films {
		ours, peer, err := b.firstOf(f, bin, film)
		if err != nil {
			return err
		}
		b.page.add(row{what: fmt.Sprintf("first picture, a key frame each %d s", film.gop), peerName: rivalName, peer: ms(peer.mean()), floor: none, ours: ms(ours.mean()), unit: "ms", goal: 0.01,
			miss: "What is left is the connection and the bytes since the last key frame."})
	}
	b.page.say("The goal is that of the stream with a key frame each 4 s; at 1 s there is less to be won.")
	return nil
}

func (b *bench) firstOf(f *farm, bin string, film film) (ours, peer times, err error) {
	urls := f.urls(1, film.name)
	h, web, err := b.hot(urls)
	if err != nil {
		return nil, nil, err
	}
	defer h.stop()
	r, err := b.newRival(bin, urls)
	if err != nil {
		return nil, nil, err
	}
	if err := r.launch(); err != nil {
		return nil, nil, err
	}
	defer r.stop()
	ctx, cancel := context.WithTimeout(b.ctx, 4*hang)
	defer cancel()
	if err := r.ready(ctx); err != nil {
		return nil, nil, err
	}
	// Somebody watches the peer all the time, so that its stream runs too.
	held, err := r.watch(ctx, cameraID(0))
	if err != nil {
		return nil, nil, err
	}
	defer held.close()
	if err := held.read(ctx); err != nil {
		return nil, nil, err
	}
	go func() { _ = held.note(ctx) }() // ends when it is closed
	once := func(open func() (*stamped, error)) (time.Duration, error) {
		at := now()
		v, err := open()
		if err != nil {
			return 0, err
		}
		defer v.close()
		err = v.read(ctx)
		return since(at), err
	}
	for range b.rounds(20, 3) {
		a, err := once(func() (*stamped, error) { return h.watchCamera(ctx, web, cameraID(0)) })
		if err != nil {
			return nil, nil, h.failed(err)
		}
		p, err := once(func() (*stamped, error) { return r.watch(ctx, cameraID(0)) })
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", rivalName, err)
		}
		ours, peer = append(ours, a), append(peer, p)
		if err := b.pause(time.Duration(film.gop)*137*time.Millisecond + 211*time.Millisecond); err != nil { // another place each time
			return nil, nil, err
		}
	}
	return ours, peer, nil
}

// launches: from the start of the process to the first picture, and memory with nobody watching.
func (b *bench) launches(f *farm, bin string) error {
	urls := f.urls(many, "4s")
	h, web, err := b.hot(urls) // the data folder and the login are made here
	if err != nil {
		return err
	}
	h.stop()
	var first, all, peer, peerAll times
	var memory, peerCold, peerHot []float64
	for range b.rounds(5, 1) {
		if err := b.launchOurs(h, web, &first, &all, &memory); err != nil {
			return h.failed(err)
		}
		if err := b.launchRival(bin, urls, &peer, &peerAll, &peerCold, &peerHot); err != nil {
			return err
		}
	}
	b.page.section("Launch with cameras", fmt.Sprintf("%d RTSP cameras of 4 Mb/s that begin with a key frame; medians. Ours pulls all of them from its start on, through a plugin that tells where they are; "+
		"%s pulls what somebody watches: its row of one camera is one page on one camera. Memory is the proportional set size of the whole process tree.", many, rivalName))
	b.page.add(row{what: "launch to the first picture of one camera, ours with all hot", peerName: rivalName + ", one camera", peer: ms(peer.p50()), floor: none, ours: ms(first.p50()), unit: "ms", goal: 5,
		miss: "Ours opens its journal and its pages first, and dials what the plugin said at the last start."})
	b.page.add(row{what: "launch until all have shown a picture", peerName: rivalName + ", a page on each", peer: ms(peerAll.p50()), floor: none, ours: ms(all.p50()), unit: "ms", goal: none})
	b.page.add(row{what: "memory with all hot, nobody watching", peerName: rivalName + ", cold", peer: median(peerCold), floor: none, ours: median(memory), unit: "MB", goal: 5,
		miss: "Each ring holds the last 10 s from a key frame on, 5 to 7 MB at 4 Mb/s, and up to 48 MiB of garbage may wait beside them."})
	b.page.add(row{what: "the same", peerName: rivalName + ", a page on each", peer: median(peerHot), floor: none, ours: median(memory), unit: "MB", goal: none})
	return nil
}

func (b *bench) launchOurs(h *house, web *http.Client, first, all *times, memory *[]float64) error {
	if err := h.launch(b); err != nil {
		return err
	}
	defer h.stop()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	took, err := launched(ctx, h.launched, many, func(ctx context.Context, i int) (*stamped, error) { return h.watchCamera(ctx, web, cameraID(i)) })
	if err != nil {
		return err
	}
	*first, *all = append(*first, took.at(0)), append(*all, took.at(1))
	if err := h.dial(ctx); err != nil {
		return err
	}
	if err := b.pause(b.seconds(15, 3)); err != nil { // the rings fill
		return err
	}
	pss, err := treePSS(h.cmd.Process.Pid)
	*memory = append(*memory, pss)
	return err
}

func (b *bench) launchRival(bin string, urls []string, first, all *times, cold, hot *[]float64) error {
	r, err := b.newRival(bin, urls)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, 2*hang)
	defer cancel()
	for _, n := range []int{1, many} {
		if err := r.launch(); err != nil {
			return err
		}
		took, err := launched(ctx, r.launched, n, func(ctx context.Context, i int) (*stamped, error) { return r.watch(ctx, cameraID(i)) })
		if err != nil {
			r.stop()
			return fmt.Errorf("%s: %w", rivalName, err)
		}
		if n == 1 {
			*first = append(*first, took.at(1))
		} else {
			*all = append(*all, took.at(1))
		}
		r.stop()
	}
	if err := r.launch(); err != nil {
		return err
	}
	defer r.stop()
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := b.pause(b.seconds(2, 1)); err != nil {
		return err
	}
	pss, err := treePSS(r.cmd.Process.Pid)
	if err != nil {
		return err
	}
	*cold = append(*cold, pss)
	leave, err := watchAll(ctx, many, func(ctx context.Context, i int) (*stamped, error) { return r.watch(ctx, cameraID(i)) })
	if err != nil {
		return err
	}
	defer leave()
	if err := b.pause(b.seconds(15, 3)); err != nil {
		return err
	}
	pss, err = treePSS(r.cmd.Process.Pid)
	*hot = append(*hot, pss)
	return err
}

// launched opens cameras again and again until each has shown a picture, and gives how
// long after the launch that was.
func launched(ctx context.Context, at int64, n int, open func(context.Context, int) (*stamped, error)) (times, error) {
	took, errs := make(times, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			for {
				// Until it listens and knows the camera it refuses.
				if v, err := open(ctx, i); err == nil {
					err = v.read(ctx)
					v.close()
					if err == nil {
						took[i] = since(at)
						return
					}
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					errs[i] = fmt.Errorf("first picture: %w", ctx.Err())
					return
				}
			}
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

// watchAll opens a page on each camera and reads them until leave.
func watchAll(ctx context.Context, n int, open func(context.Context, int) (*stamped, error)) (leave func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	leave = func() {
		cancel()
		all.Wait()
	}
	for i := range n {
		v, err := open(ctx, i)
		if err == nil {
			err = v.read(ctx)
		}
		if err != nil {
			leave()
			return nil, err
		}
		all.Go(func() {
			defer v.close()
			_ = v.note(ctx) // a page that is left
		})
	}
	return leave, nil
}
