package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// bridgeName is the peer of everything about Apple Home; its versions stand in homebridge/package.json.
	bridgeName = "homebridge 2.4.0"
	// bridgeDoor is what its one camera is called.
	bridgeDoor = "Door"
	// bridgeCode pairs with it and with its camera.
	bridgeCode = "518-27-364"
)

// bridge is a homebridge of its own with one doorbell, an accessory by itself.
type bridge struct {
	home string // folder of its state
	cmd  *exec.Cmd
	out  bytes.Buffer // read once it has ended
	addr string       // of the doorbell's accessory
	hook string       // what rings
}

// bridgeTools installs homebridge and the Node that it needs, both from the packages
// whose versions and sums stand in homebridge, into the user's cache, once.
func (b *bench) bridgeTools() (string, error) {
	from := filepath.Join(b.root, "hub", "bench", "homebridge")
	lock, err := os.ReadFile(filepath.Join(from, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "porchlight-bench", fmt.Sprintf("homebridge-%x", sha256.Sum256(lock))[:27])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), "half")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(half, name), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	// Without their scripts: one of them would fetch an ffmpeg, and both sides use the same one.
	cmd := exec.CommandContext(b.ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	cmd.Dir = half
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("homebridge: npm ci: %w\n%s", err, text)
	}
	if err := os.Chmod(half, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

// newBridge writes the config of a homebridge whose doorbell shows the camera at that
// address. It does with the pictures what codec says: copy, or libx264 as by default.
func (b *bench) newBridge(camera, codec string) (*bridge, error) {
	home, err := os.MkdirTemp(b.dir, "hb")
	if err != nil {
		return nil, err
	}
	var ports []int
	for range 3 {
		port, l, err := quietPort()
		if err != nil {
			return nil, err
		}
		defer l.Close() // so that no two are the same
		ports = append(ports, port)
	}
	source := "-rtsp_transport tcp -i " + camera
	config := map[string]any{
		"bridge": map[string]any{"name": "Bench", "username": fmt.Sprintf("0E:00:00:00:%02X:%02X", ports[0]>>8, ports[0]&0xff), "port": ports[0],
			"pin": bridgeCode, "bind": []string{"lo"}, "advertiser": "ciao"},
		"ports": map[string]int{"start": ports[1], "end": ports[1]},
		"platforms": []any{map[string]any{"platform": "Camera-ffmpeg", "name": "Cameras", "porthttp": ports[2], "localhttp": true,
			"cameras": []any{map[string]any{"name": bridgeDoor, "unbridge": true, "doorbell": true,
				"videoConfig": map[string]any{"source": source, "stillImageSource": source, "maxStreams": 2, "vcodec": codec}}}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	r := &bridge{home: home, addr: "127.0.0.1:" + strconv.Itoa(ports[1]),
		hook: "http://localhost:" + strconv.Itoa(ports[2]) + "/doorbell?" + url.QueryEscape(bridgeDoor)}
	return r, os.WriteFile(filepath.Join(home, "config.json"), text, 0o600)
}

// quietPort is free, and below those that the kernel gives to connections: homebridge
// listens on all addresses, and says nothing more where it cannot.
func quietPort() (port int, l net.Listener, err error) {
	for range 100 {
		port = 20000 + rand.IntN(12000)
		if l, err = net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			return port, l, nil
		}
	}
	return 0, nil, err
}

// launch starts it and waits until its accessory listens.
func (r *bridge) launch(ctx context.Context, tools string) error {
	node, err := filepath.Glob(filepath.Join(tools, "node_modules", "node-linux-*", "bin", "node"))
	if err != nil || len(node) == 0 {
		return fmt.Errorf("%s: no Node for this machine among its packages", bridgeName)
	}
	modules := filepath.Join(tools, "node_modules")
	r.cmd = exec.Command(node[0], filepath.Join(modules, "homebridge", "bin", "homebridge.js"), "-Q", "-U", r.home, "-P", modules, "--strict-plugin-resolution")
	r.cmd.Dir = r.home
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	if err := r.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	host, _ := url.Parse(r.hook)
	for _, addr := range []string{r.addr, host.Host} {
		err := until(ctx, bridgeName, func() (bool, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				return false, nil
			}
			return true, c.Close()
		})
		if err != nil {
			return r.failed(err)
		}
	}
	return nil
}

// ring presses its doorbell.
func (r *bridge) ring(ctx context.Context, web *http.Client) error {
	return poke(ctx, web, http.MethodGet, r.hook)
}

// poke sends a request that rings.
func poke(ctx context.Context, web *http.Client, method, to string) error {
	req, err := http.NewRequestWithContext(ctx, method, to, nil)
	if err != nil {
		return err
	}
	res, err := web.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("ring: status %s", res.Status)
	}
	_, rerr := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // to its end, or the connection is not used again
	return errors.Join(err, rerr, res.Body.Close())
}

// end ends it and every process that it left.
func (r *bridge) end() {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	force := time.AfterFunc(hang/6, func() { _ = r.cmd.Process.Kill() })
	defer force.Stop()
	_ = r.cmd.Wait()                                      // how it ended does not matter
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // the ffmpegs that it left, if any
	r.cmd = nil
}

// failed adds the end of its output to an error and ends it.
func (r *bridge) failed(err error) error {
	r.end()
	out := r.out.String()
	return fmt.Errorf("%w; the output of %s ends:\n%s", err, bridgeName, out[max(0, len(out)-3000):])
}
