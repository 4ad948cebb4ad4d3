package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// started is what a number of launches took.
type started struct {
	bare, line, healthz, ring, frame times
	coldPlugin, back, gap            times
}

// start measures the way from the launch to a house that works, on data that is there.
func (b *bench) start() error {
	h, err := b.demoHouse("  bell_sound: {plugin: chime, sound: gong}\n", b.pluginYAML("chime", "publish: [], subscribe: []", rates))
	if err != nil {
		return err
	}
	if err := h.start(b); err != nil {
		return h.failed(err)
	}
	web, err := h.login(b.ctx)
	h.stop()
	if err != nil {
		return h.failed(err)
	}
	var s started
	for range b.rounds(5, 2) {
		if err := b.bareStarts(&s); err != nil {
			return err
		}
		for _, what := range []func(context.Context, *house, *http.Client, *started) error{b.toReady, b.toRing, b.toFrame} {
			if err := h.launch(b); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(b.ctx, hang)
			err := what(ctx, h, web, &s)
			cancel()
			h.stop()
			if err != nil {
				return h.failed(err)
			}
		}
	}
	b.startRows(&s)
	return nil
}

// demoHouse is the demo with more chimes and plugins.
func (b *bench) demoHouse(chimes, plugins string) (*house, error) {
	yaml := ""
	if plugins != "" {
		yaml = "plugins:\n" + plugins
	}
	return b.newHouse(yaml + "cameras:\n  demo_porch: {plugin: demo, " + doorbell + "}\nchimes:\n  browser: {builtin: browser, sound: ding_dong}\n" + chimes)
}

// login opens the setup link as a browser does and keeps the cookie.
func (h *house) login(ctx context.Context) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	web := &http.Client{Jar: jar}
	select {
	case link := <-h.link:
		res, err := get(ctx, web, link)
		if err == nil && res != http.StatusOK {
			err = fmt.Errorf("setup link: status %d", res)
		}
		return web, err
	case <-time.After(hang):
		return nil, fmt.Errorf("no setup link")
	}
}

func get(ctx context.Context, web *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// bareStarts are the floors: the program that only tells its version, and a plugin's
// process up to the line by which it says that it listens.
func (b *bench) bareStarts(s *started) error {
	at := now()
	if err := exec.CommandContext(b.ctx, b.bin, "version").Run(); err != nil {
		return fmt.Errorf("version: %w", err)
	}
	s.bare = append(s.bare, since(at))
	cmd := exec.CommandContext(b.ctx, b.bin, "plugin", "run", "demo")
	cmd.Env = append(os.Environ(), wire.CookieKey+"="+wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+b.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	at = now()
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	s.coldPlugin = append(s.coldPlugin, since(at))
	_ = cmd.Process.Kill() // by its pid
	_ = cmd.Wait()         // killed
	if err != nil {
		return fmt.Errorf("plugin run demo: no handshake: %w", err)
	}
	return nil
}

func (b *bench) toReady(ctx context.Context, h *house, _ *http.Client, s *started) error {
	line := make(chan time.Duration, 1) // one answer
	go func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for h.out.Len() == 0 && ctx.Err() == nil {
			h.mu.Unlock()
			time.Sleep(time.Millisecond)
			h.mu.Lock()
		}
		line <- since(h.launched)
	}()
	err := until(ctx, "healthz", func() (bool, error) {
		code, err := get(ctx, http.DefaultClient, h.base+"/healthz")
		return err == nil && code == http.StatusOK, nil
	})
	if err != nil {
		return err
	}
	s.healthz = append(s.healthz, since(h.launched))
	s.line = append(s.line, <-line)
	return nil
}

// toRing rings again and again until the chime plays.
func (b *bench) toRing(ctx context.Context, h *house, _ *http.Client, s *started) error {
	played := make(chan error, 1) // one answer
	go func() {
		err := b.ctl.await(ctx, "chime")
		var a part.Answer
		if err == nil {
			a, err = b.ctl.ask(ctx, "chime", part.Order{Op: "first"})
		}
		for _, at := range a.Notes {
			s.ring = append(s.ring, time.Duration(at-h.launched))
			break
		}
		played <- err
	}()
	return until(ctx, "first ring", func() (bool, error) {
		if h.client == nil {
			c, err := client.Dial(ctx, h.data)
			if err != nil {
				return false, nil
			}
			h.client = c
		}
		_, _ = h.client.Ring(ctx, "demo_porch", false) // until the plugin is there it cannot
		select {
		case err := <-played:
			return true, err
		case <-time.After(5 * time.Millisecond):
			return false, nil
		}
	})
}

// toFrame waits for a picture, then kills the camera's plugin and waits for another.
func (b *bench) toFrame(ctx context.Context, h *house, web *http.Client, s *started) error {
	var v *viewer
	err := until(ctx, "first picture", func() (bool, error) {
		var err error
		if v, err = h.watch(ctx, web); err != nil {
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	defer v.close()
	if _, err := v.fragment(ctx); err != nil {
		return err
	}
	s.frame = append(s.frame, since(h.launched))
	if err := h.dial(ctx); err != nil {
		return err
	}
	was, err := h.client.Plugin(ctx, "demo")
	if err != nil {
		return err
	}
	killed := now()
	if err := syscall.Kill(was.PID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill demo: %w", err)
	}
	again, silence := make(chan struct{}), make(chan error, 1) // closed when it runs; one answer
	go func() {
		longest := time.Duration(0)
		for over := false; !over; {
			select {
			case <-again: // the next fragment is certainly a new one
				over = true
			default:
			}
			last := now()
			if _, err := v.fragment(ctx); err != nil {
				silence <- err
				return
			}
			longest = max(longest, since(last))
		}
		s.gap = append(s.gap, longest)
		silence <- nil
	}()
	err = until(ctx, "demo runs again", func() (bool, error) {
		p, err := h.client.Plugin(ctx, "demo")
		// Until its first health check it may call itself degraded; its work has begun.
		return err == nil && p.PID != was.PID && p.PID != 0 && (p.State == "running" || p.State == "degraded"), nil
	})
	s.back = append(s.back, since(killed))
	close(again)
	return errors.Join(err, <-silence)
}

func (b *bench) startRows(s *started) {
	b.page.section("Start", "From the launch of the process, on a data folder that was used before; medians. The peer is the same program that only tells its version, and for a plugin one bare start of its process up to its handshake.")
	bare := ms(s.bare.p50())
	for _, r := range []struct {
		what string
		t    times
	}{{"first line of output", s.line}, {"healthz answers", s.healthz}, {"a ring is played by a chime plugin", s.ring}, {"first picture over the WebSocket (MSE)", s.frame}} {
		b.page.add(row{what: r.what, peerName: "porchlight version", peer: bare, floor: none, ours: ms(r.t.p50()), unit: "ms", goal: none})
	}
	b.page.add(row{what: "demo plugin, SIGKILL to running", peerName: "one start of its process", peer: ms(s.coldPlugin.p50()), floor: none, ours: ms(s.back.p50()), unit: "ms", goal: 4,
		miss: "The first wait of the restart ladder (100 ms by default, so that a crash at the start does not spin) is in it."})
	b.page.add(row{what: "longest silence between pictures for it", floor: none, peer: none, ours: ms(s.gap.p50()), unit: "ms", goal: none})
	b.page.say("The aim for a ring after the launch is 150 ms on an idle machine.")
}
