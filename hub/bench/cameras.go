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

// many cameras have the house that is compared.
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

// live are so many cameras whose film goes on all the time.
func (f *farm) live(n int, film string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("rtsp://%s/%s/live-%d", f.first, film, i))
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

// scene has the cameras and go2rtc, made when they are first needed.
func (b *bench) scene() (*farm, string, error) {
	if b.farm != nil {
		return b.farm, b.rival, nil
	}
	films, err := b.makeFilms()
	if err != nil {
		return nil, "", err
	}
	if b.rival, err = b.buildRival(); err != nil {
		return nil, "", err
	}
	b.farm, err = b.newFarm(films)
	return b.farm, b.rival, err
}

// before gives a part that needs the cameras as one that does not.
func (b *bench) before(parts ...func(*farm, string) error) func() error {
	return func() error {
		f, bin, err := b.scene()
		if err != nil {
			return err
		}
		for _, part := range parts {
			err = errors.Join(err, part(f, bin)) // the others are still worth having
		}
		return err
	}
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
	for range b.rounds(2, 1) {
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
		miss: "Each ring holds the last 4 s from a key frame on, 2 to 4 MB at 4 Mb/s; up to 48 MiB of garbage may wait beside them, and the text of the program and of the plugin is 45 MB before the first picture."})
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
	if err := b.pause(b.seconds(12, 3)); err != nil { // the rings fill
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
	if err := b.pause(b.seconds(12, 3)); err != nil {
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
