package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// hang is how long the bench waits for what should be there soon.
const hang = 60 * time.Second

// build makes the three programs as they ship: without cgo, stripped.
func (b *bench) build() error {
	b.bin, b.plugin, b.peer = filepath.Join(b.dir, "porchlight"), filepath.Join(b.dir, "bench-plugin"), filepath.Join(b.dir, "bench-peer")
	for _, p := range []struct{ dir, out, pkg string }{
		{b.root, b.bin, "./hub"},
		{filepath.Join(b.root, "hub", "bench"), b.plugin, "./plugin"},
		{filepath.Join(b.root, "hub", "bench"), b.peer, "./peer"},
	} {
		cmd := goBuild(b.ctx, p.dir, p.out, p.pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.pkg, err, out)
		}
	}
	return nil
}

func goBuild(ctx context.Context, dir, out, pkg string, flags ...string) *exec.Cmd {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// child is a process of the bench that ends when its standard input closes.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first string // line of its output
}

// startChild starts a command of the peer; where it speaks, it waits for its first line.
func (b *bench) startChild(speaks bool, args ...string) (*child, error) {
	cmd := exec.Command(b.peer, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	var stdout io.Reader
	if speaks {
		if stdout, err = cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin}
	if speaks {
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			c.end()
			return nil, fmt.Errorf("peer %s: %w", args[0], err)
		}
		c.first = strings.TrimSpace(line)
	}
	return c, nil
}

func (c *child) end() {
	c.stdin.Close()
	_ = c.cmd.Wait() // how it ended does not matter
}

// house is a hub of the real binary.
type house struct {
	dir, data string
	base      string // of the pages
	rtsp      string // where it hands on by RTSP
	cmd       *exec.Cmd
	launched  int64 // of part.Now
	client    *client.Client
	link      chan string // the setup link; room for one
	mu        sync.Mutex
	out       bytes.Buffer
	read      sync.WaitGroup
}

// newHouse makes a folder with the config in it; rest follows version and hub.
func (b *bench) newHouse(rest string) (*house, error) {
	dir, err := os.MkdirTemp(b.dir, "h")
	if err != nil {
		return nil, err
	}
	var addrs []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel's choice, kept over restarts
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	h := &house{dir: dir, data: filepath.Join(dir, "data"), base: "http://" + addrs[0], rtsp: addrs[1]}
	port := func(i int) string { return addrs[i][strings.LastIndexByte(addrs[i], ':')+1:] }
	yaml := fmt.Sprintf("version: 1\nhub: {listen: %q, data_dir: ./data, rtsp: {port: %s}, webrtc: {port: %s}}\n%s", addrs[0], port(1), port(2), rest)
	return h, os.WriteFile(filepath.Join(dir, "porchlight.yaml"), []byte(yaml), 0o600)
}

var setupLink = regexp.MustCompile(`https?://\S+/setup\?token=\S+`)

// launch starts the hub and waits for nothing.
func (h *house) launch(b *bench) error {
	cmd := exec.Command(b.bin, "run", "--config", filepath.Join(h.dir, "porchlight.yaml"))
	cmd.Dir = h.dir
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = w, w
	h.cmd, h.link = cmd, make(chan string, 1)
	h.out.Reset() // nobody reads between two launches
	h.launched = now()
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return err
	}
	h.read.Go(func() {
		defer r.Close()
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			h.mu.Lock()
			if h.out.Len() < 1<<20 {
				h.out.WriteString(lines.Text() + "\n")
			}
			h.mu.Unlock()
			if m := setupLink.FindString(lines.Text()); m != "" {
				select {
				case h.link <- m:
				default: // one is enough
				}
			}
		}
	})
	return nil
}

// start launches the hub and waits until its admin socket answers.
func (h *house) start(b *bench) error {
	if err := h.launch(b); err != nil {
		return err
	}
	if err := h.dial(b.ctx); err != nil {
		h.stop()
		return err
	}
	return nil
}

func (h *house) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	return until(ctx, "admin socket", func() (bool, error) {
		c, err := client.Dial(ctx, h.data)
		if err != nil {
			return false, nil
		}
		h.client = c
		return true, nil
	})
}

// stop ends the hub in order, and by force where that takes long.
func (h *house) stop() {
	if h.client != nil {
		h.client.Close()
		h.client = nil
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	force := time.AfterFunc(hang/3, func() { _ = h.cmd.Process.Kill() })
	defer force.Stop()
	_ = h.cmd.Wait() // how it ended does not matter
	h.read.Wait()
}

// failed adds the end of the hub's output to an error.
func (h *house) failed(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.out.String()
	return fmt.Errorf("%w; the hub's output ends:\n%s", err, out[max(0, len(out)-4000):])
}

// until asks f every 2 ms.
func until(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// pause lets the load or the cost of something go on for a while.
func (b *bench) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}
