package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// viewer is a page that watches, without a decoder.
type viewer struct {
	c     *websocket.Conn
	inits int // init segments that are still to come as binary messages
}

// watch opens the demo's stream as the page does.
func (h *house) watch(ctx context.Context, web *http.Client) (*viewer, error) {
	c, _, err := websocket.Dial(ctx, strings.Replace(h.base, "http", "ws", 1)+"/api/v1/ws?camera=demo_porch", &websocket.DialOptions{HTTPClient: web})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(64 << 20)
	return &viewer{c: c}, nil
}

func (v *viewer) close() { _ = v.c.CloseNow() }

// fragment waits for the next pictures and gives their size.
func (v *viewer) fragment(ctx context.Context) (int, error) {
	for {
		kind, b, err := v.c.Read(ctx)
		if err != nil {
			return 0, fmt.Errorf("watch: %w", err)
		}
		if kind == websocket.MessageText {
			var m struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			}
			if err := json.Unmarshal(b, &m); err != nil {
				return 0, fmt.Errorf("watch: %w", err)
			}
			switch m.Type {
			case "init":
				v.inits++
			case "cannot":
				return 0, fmt.Errorf("watch: %s", m.Reason)
			}
			continue
		}
		if v.inits > 0 {
			v.inits--
			continue
		}
		return len(b), nil
	}
}

// live measures the demo at rest, and what viewers cost.
func (b *bench) live() error {
	h, err := b.demoHouse("", "")
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	defer h.stop()
	web, err := h.login(b.ctx)
	if err != nil {
		return h.failed(err)
	}
	first, err := h.watch(b.ctx, web) // so that the stream is known to run
	if err != nil {
		return h.failed(err)
	}
	if _, err = first.fragment(b.ctx); err != nil {
		return h.failed(err)
	}
	first.close()
	if err := b.pause(b.seconds(4, 1)); err != nil {
		return err
	}
	if err := b.atRest(h); err != nil {
		return err
	}
	if err := b.firstKeyFrames(h, web); err != nil {
		return h.failed(err)
	}
	return nil
}

// atRest measures memory and processor time of the demo with nobody watching.
func (b *bench) atRest(h *house) error {
	before, err := tree(h.cmd.Process.Pid)
	if err != nil {
		return err
	}
	d := b.seconds(8, 3)
	if err := b.pause(d); err != nil {
		return err
	}
	after, err := tree(h.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.page.section("The demo at rest", fmt.Sprintf("One doorbell of 25 pictures a second at 1280x720 with sound, nobody watching; proportional set size, and processor time over %s as a share of one core.", d))
	sum, cpu := int64(0), time.Duration(0)
	for _, p := range after {
		used := p.cpu
		if i := slices.IndexFunc(before, func(o process) bool { return o.pid == p.pid }); i >= 0 {
			used -= before[i].cpu
		}
		sum, cpu = sum+p.pss, cpu+used
		b.page.add(row{what: p.name + ", memory", peer: none, floor: none, ours: float64(p.pss) / 1e6, unit: "MB", goal: none})
		b.page.add(row{what: p.name + ", processor", peer: none, floor: none, ours: 100 * used.Seconds() / d.Seconds(), unit: "%", goal: none})
	}
	b.page.add(row{what: "all, memory", peer: none, floor: none, ours: float64(sum) / 1e6, unit: "MB", goal: none})
	b.page.add(row{what: "all, processor", peer: none, floor: none, ours: 100 * cpu.Seconds() / d.Seconds(), unit: "%", goal: none})
	return nil
}

// firstKeyFrames measures from opening the connection to the first pictures, which
// begin with a key frame.
func (b *bench) firstKeyFrames(h *house, web *http.Client) error {
	var bare, alone, beside times
	once := func(t *times) error {
		at := now()
		v, err := h.watch(b.ctx, web)
		if err != nil {
			return err
		}
		defer v.close()
		if _, err := v.fragment(b.ctx); err != nil {
			return err
		}
		*t = append(*t, since(at))
		return nil
	}
	for i := range 2 * b.rounds(15, 4) {
		at := now()
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hang}
		if code, err := get(b.ctx, fresh, h.base+"/healthz"); err != nil || code != http.StatusOK {
			return fmt.Errorf("healthz: %d %w", code, err)
		}
		bare = append(bare, since(at))
		if i%2 == 0 {
			if err := once(&alone); err != nil {
				return err
			}
		} else {
			v, err := h.watch(b.ctx, web)
			if err != nil {
				return err
			}
			if _, err := v.fragment(b.ctx); err != nil {
				return err
			}
			err = once(&beside)
			v.close()
			if err != nil {
				return err
			}
		}
		if err := b.pause(137 * time.Millisecond); err != nil { // another place in the GOP each time
			return err
		}
	}
	b.page.section("Live in the browser", "Fragmented MP4 over a WebSocket, a key frame each 2 s, viewers without a decoder. "+
		"The peer of a first picture is what waiting for the next key frame costs in the mean, half of their distance; its floor is a fresh connection that asks for healthz. "+
		"The floor of a viewer is a program that writes the same bytes from one buffer to each connection, 25 times a second.")
	for _, r := range []struct {
		what string
		t    times
	}{{"first key frame, nobody else watching", alone}, {"first key frame, beside another viewer", beside}} {
		b.page.add(row{what: r.what, peerName: "half a GOP", peer: 1000, floor: ms(bare.p50()), ours: ms(r.t.p50()), unit: "ms", goal: 0.01,
			miss: "On a busy machine this is the wait for a turn on the processor, as in its floor."})
	}
	return nil
}

// fanning is the floor of viewers over TCP: the processor time of a bare program that
// writes one buffer of that size to each of n, 25 times a second.
func (b *bench) fanning(size, n int, d time.Duration) (time.Duration, error) {
	c, err := b.startChild(true, "fan", strconv.Itoa(size))
	if err != nil {
		return 0, err
	}
	defer c.end()
	var all sync.WaitGroup
	defer all.Wait()
	for range n {
		conn, err := net.Dial("tcp", c.first)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		all.Go(func() {
			b := make([]byte, 64<<10)
			for {
				if _, err := conn.Read(b); err != nil {
					return
				}
			}
		})
	}
	if err := b.pause(300 * time.Millisecond); err != nil {
		return 0, err
	}
	before := cpuTime(c.cmd.Process.Pid)
	if err := b.pause(d); err != nil {
		return 0, err
	}
	return cpuTime(c.cmd.Process.Pid) - before, nil
}
