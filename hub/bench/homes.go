package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

const (
	// homeControllers are those of a family: phones, and speakers that ring.
	homeControllers = 8
	// homeDoor is our doorbell.
	homeDoor = "door"
	// readGap is the pause of each reading controller between an answer and its next question.
	readGap = 20 * time.Millisecond
)

// homeSide is one doorbell of Apple Home with all its controllers connected.
type homeSide struct {
	name    string
	pid     int
	addr    string
	ring    func(context.Context) error
	profile func(d time.Duration, to string) error // nil: it has none
	conns   []*controller.Conn
	bell    controller.ID
	reads   []controller.ID
	views   []controller.Service // that can show it
}

// joined pairs the first controller by the code, which lets in the others, and subscribes all.
func (s *homeSide) joined(ctx context.Context, code string) error {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	admin := controller.New("bench-0")
	accessory, err := admin.Pair(ctx, s.addr, code)
	if err != nil {
		return fmt.Errorf("%s: pair: %w", s.name, err)
	}
	for i := range homeControllers {
		c := admin
		if i > 0 {
			c = controller.New("bench-" + strconv.Itoa(i))
			c.Know(accessory)
			if err := s.conns[0].AddPairing(ctx, controller.Pairing{Name: c.Name, Key: c.Key()}); err != nil {
				return fmt.Errorf("%s: let in %s: %w", s.name, c.Name, err)
			}
		}
		x, err := c.Verify(ctx, s.addr)
		if err != nil {
			return fmt.Errorf("%s: verify: %w", s.name, err)
		}
		s.conns = append(s.conns, x)
	}
	d, err := s.conns[0].Accessories(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	ok := false
	if s.bell, ok = d.Find("121", "73"); !ok {
		return fmt.Errorf("%s: no bell", s.name)
	}
	s.views = d.Services(streamService)
	for _, v := range s.views[:min(2, len(s.views))] {
		if id, ok := v.Find("120"); ok {
			s.reads = append(s.reads, id)
		}
	}
	if id, ok := d.Find("3E", "23"); ok {
		s.reads = append(s.reads, id)
	}
	for _, x := range s.conns {
		if err := x.Subscribe(ctx, s.bell); err != nil {
			return fmt.Errorf("%s: subscribe: %w", s.name, err)
		}
	}
	return nil
}

func (s *homeSide) leave() {
	for _, x := range s.conns {
		x.Close()
	}
	s.conns = nil
}

// heard is what came of rings: how long each took to each controller, and how many never came.
type heard struct {
	took times
	lost int
}

// rings presses so often while all controllers read, each press when the last was heard.
func (s *homeSide) rings(ctx context.Context, n int, gap time.Duration, to *heard) error {
	reading, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	errs := make([]error, len(s.conns))
	for i, x := range s.conns {
		all.Go(func() {
			for reading.Err() == nil {
				if _, err := x.Get(ctx, s.reads...); err != nil {
					errs[i] = err
					return
				}
				select {
				case <-reading.Done():
				case <-time.After(readGap):
				}
			}
		})
	}
	err := s.press(ctx, n, gap, to)
	stop()
	all.Wait()
	return errors.Join(append(errs, err)...)
}

func (s *homeSide) press(ctx context.Context, n int, gap time.Duration, to *heard) error {
	for range n {
		time.Sleep(gap)
		at := time.Now()
		if err := s.ring(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		late := time.After(2 * time.Second)
		for _, x := range s.conns {
			select {
			case e, ok := <-x.Events():
				if !ok {
					return fmt.Errorf("%s: a controller's connection ended: %w", s.name, x.Err())
				}
				to.took = append(to.took, e.At.Sub(at))
			case <-late:
				to.lost++
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// homeHouse is a hub whose doorbell is shown to Apple Home.
func (b *bench) homeHouse(camera string) (*house, *homeSide, error) {
	h, err := b.newHouse("plugins:\n  homekit: {}\ncameras:\n  " + homeDoor + ": {name: Door, plugin: rtsp, " + doorbell + fmt.Sprintf(", source: {url: %q}}\n", camera))
	if err != nil {
		return nil, nil, err
	}
	if err := h.start(b); err != nil {
		return nil, nil, h.failed(err)
	}
	s, err := b.ourHome(h)
	if err != nil {
		h.stop()
		return nil, nil, h.failed(err)
	}
	return h, s, nil
}

// ourHome waits until the accessory is there and pairs with it.
func (b *bench) ourHome(h *house) (*homeSide, error) {
	if err := h.allLive(b.ctx, 1); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	// An accessory that was there before its camera is made anew when that has shown what it is.
	if err := h.client.Restart(ctx, "homekit"); err != nil {
		return nil, err
	}
	s := &homeSide{name: "ours", pid: h.cmd.Process.Pid, profile: h.profile}
	code := ""
	var last error
	err := until(ctx, "accessory", func() (bool, error) {
		var got struct {
			Accessories []struct {
				Camera string `json:"camera"`
				Port   int    `json:"port"`
				Code   string `json:"code"`
			} `json:"accessories"`
		}
		for _, action := range []string{"status", "qr"} {
			out, err := h.client.Act(ctx, "homekit", action, nil)
			if err == nil {
				err = json.Unmarshal(out, &got)
			}
			if err != nil {
				last = fmt.Errorf("%s: %w", action, err)
				return false, nil
			}
			for _, a := range got.Accessories {
				if a.Camera != homeDoor {
					continue
				}
				if a.Port > 0 {
					s.addr = "127.0.0.1:" + strconv.Itoa(a.Port)
				}
				code = a.Code
			}
		}
		return s.addr != "" && code != "", nil
	})
	if err != nil {
		return nil, errors.Join(err, last)
	}
	hook, err := h.client.Hook(ctx, homeDoor)
	if err != nil {
		return nil, err
	}
	s.ring = func(ctx context.Context) error { return poke(ctx, http.DefaultClient, http.MethodPost, hook.URL) }
	return s, s.joined(ctx, code)
}

// bridgeSide starts a homebridge and connects to it.
func (b *bench) bridgeSide(tools, camera, codec string) (*bridge, *homeSide, error) {
	r, err := b.newBridge(camera, codec)
	if err != nil {
		return nil, nil, err
	}
	if err := r.launch(b.ctx, tools); err != nil {
		return nil, nil, err
	}
	s := &homeSide{name: bridgeName + ", " + codec, pid: r.cmd.Process.Pid, addr: r.addr}
	s.ring = func(ctx context.Context) error { return poke(ctx, http.DefaultClient, http.MethodGet, r.hook) }
	if err := s.joined(b.ctx, bridgeCode); err != nil {
		return nil, nil, r.failed(err)
	}
	return r, s, nil
}

// homes are ours and two of the peer on the same camera: one that copies pictures and
// one that makes them anew, as it does by default.
type homes struct {
	house               *house
	ours, copied, coded *homeSide
	bridges             []*bridge
}

func (b *bench) newHomes(f *farm) (t *homes, err error) {
	t = &homes{}
	defer func() {
		if err != nil {
			t.end()
		}
	}()
	tools, err := b.bridgeTools()
	if err != nil {
		return t, err
	}
	camera := f.live(1, "4s")[0]
	for _, to := range []struct {
		codec string
		side  **homeSide
	}{{"copy", &t.copied}, {"libx264", &t.coded}} {
		r, s, err := b.bridgeSide(tools, camera, to.codec)
		if err != nil {
			return t, err
		}
		t.bridges = append(t.bridges, r)
		*to.side = s
	}
	t.house, t.ours, err = b.homeHouse(camera)
	return t, err
}

func (t *homes) end() {
	for _, s := range []*homeSide{t.ours, t.copied, t.coded} {
		if s != nil {
			s.leave()
		}
	}
	for _, r := range t.bridges {
		r.end()
	}
	if t.house != nil {
		t.house.stop()
	}
}

// watched has so many viewers on a side and measures for d.
func (b *bench) homeWatched(s *homeSide, n int, d time.Duration) (t turn, err error) {
	if n > len(s.views) {
		return t, fmt.Errorf("%s: it shows itself to %d at once", s.name, len(s.views))
	}
	var views []*homeView
	defer func() {
		for _, v := range views {
			v.leave()
		}
	}()
	for i := range n {
		v, err := see(b.ctx, s.conns[i], s.views[i])
		if err != nil {
			return t, fmt.Errorf("%s: %w", s.name, err)
		}
		views = append(views, v)
	}
	for _, v := range views {
		if _, err := v.showing(b.ctx); err != nil {
			return t, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := b.pause(b.seconds(1.5, 0.7)); err != nil { // what came at once is over
		return t, err
	}
	for _, v := range views {
		v.mark()
	}
	at := now()
	before, err := treeCPU(s.pid)
	if err != nil {
		return t, err
	}
	if b.profiles != "" && s.profile != nil {
		err = s.profile(d, filepath.Join(b.profiles, fmt.Sprintf("home-%d-%d.pprof", n, at)))
	} else {
		err = b.pause(d)
	}
	if err != nil {
		return t, err
	}
	after, err := treeCPU(s.pid)
	if err != nil {
		return t, err
	}
	t.cpu, t.took = after-before, since(at)
	for _, v := range views {
		v.mu.Lock()
		t.seen.Pictures += v.pictures
		t.seen.Lost += v.lost
		t.seen.Bytes += v.bytes
		v.mu.Unlock()
	}
	t.pss, err = treePSS(s.pid)
	return t, err
}
