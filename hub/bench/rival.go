package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/coder/websocket"
)

const (
	// rivalPackage is the peer of everything about cameras; its version stands in go2rtc/go.mod.
	rivalPackage = "github.com/AlexxIT/go2rtc"
	rivalName    = "go2rtc 1.9.9"
)

// rival is a go2rtc of its own.
type rival struct {
	b         *bench
	bin, file string
	base      string // of its API
	rtsp      string // host and port
	cmd       *exec.Cmd
	launched  int64
}

// buildRival makes it as ours is made.
func (b *bench) buildRival() (string, error) {
	out := filepath.Join(b.dir, "go2rtc")
	if text, err := goBuild(b.ctx, filepath.Join(b.root, "hub", "bench", "go2rtc"), out, rivalPackage).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", rivalPackage, err, text)
	}
	return out, nil
}

// newRival writes its config: the same cameras as ours.
func (b *bench) newRival(bin string, cameras []string) (*rival, error) {
	r := &rival{b: b, bin: bin, file: filepath.Join(b.dir, fmt.Sprintf("go2rtc%d.yaml", now()))}
	var ports []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		ports = append(ports, l.Addr().String())
		defer l.Close()
	}
	r.base, r.rtsp = "http://"+ports[0], ports[1]
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "log: {level: error}\napi: {listen: %q}\nrtsp: {listen: %q}\n"+
		"webrtc: {listen: \"%[3]s/udp\", candidates: [%[3]q], ice_servers: [], filters: {loopback: true, networks: [udp4]}}\nstreams:\n", ports[0], ports[1], ports[2])
	for i, url := range cameras {
		fmt.Fprintf(&yaml, "  %s: %q\n", cameraID(i), url)
	}
	return r, os.WriteFile(r.file, []byte(yaml.String()), 0o600)
}

func cameraID(i int) string { return fmt.Sprintf("cam%02d", i) }

func (r *rival) launch() error {
	r.cmd = exec.Command(r.bin, "-config", r.file)
	r.cmd.Dir = r.b.dir
	r.launched = now()
	return r.cmd.Start()
}

// ready waits until its API answers.
func (r *rival) ready(ctx context.Context) error {
	return until(ctx, rivalName, func() (bool, error) {
		code, err := get(ctx, http.DefaultClient, r.base+"/api")
		return err == nil && code == http.StatusOK, nil
	})
}

func (r *rival) stop() {
	_ = r.cmd.Process.Kill() // by its pid; it keeps nothing
	_ = r.cmd.Wait()         // killed
}

// watch asks for a camera by MSE, as its own page does.
func (r *rival) watch(ctx context.Context, camera string) (*stamped, error) {
	c, _, err := websocket.Dial(ctx, strings.Replace(r.base, "http", "ws", 1)+"/api/ws?src="+camera, nil)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(64 << 20)
	if err := c.Write(ctx, websocket.MessageText, []byte(mseHello)); err != nil {
		_ = c.CloseNow()
		return nil, err
	}
	return &stamped{c: c}, nil
}
