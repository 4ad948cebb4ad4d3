package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// plugin behaves as mode says. Those that break the handshake never serve.
func plugin(mode string) {
	dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
	handshake := func(core, app int, network, address string) {
		fmt.Printf("%d|%d|%s|%s|grpc|\n", core, app, network, address)
		block()
	}
	listen := func(path string) {
		if _, err := net.Listen("unix", path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	switch mode {
	case "noise":
		fmt.Println("Hello, I am the front gate plugin, starting up")
		block()
	case "noise-unfinished":
		fmt.Print(strings.Repeat("loading… ", 100))
		block()
	case "noise-endless":
		for {
			_, _ = os.Stdout.WriteString(strings.Repeat("x", 64<<10))
		}
	case "silent":
		block()
	case "early-exit":
		fmt.Fprintln(os.Stderr, "cannot find the camera")
		os.Exit(3)
	case "next-protocol":
		handshake(1, 99, "unix", dir+"/s")
	case "next-handshake":
		handshake(7, 1, "unix", dir+"/s")
	case "tcp":
		handshake(1, 1, "tcp", "192.0.2.1:80")
	case "elsewhere":
		handshake(1, 1, "unix", os.Getenv("PORCHLIGHT_DATA_DIR")+"/s")
	case "dots":
		listen(dir + "/s")
		handshake(1, 1, "unix", dir+"/../"+filepath.Base(dir)+"/s")
	case "link-to-socket":
		listen(dir + "/s")
		_ = os.Symlink(dir+"/s", dir+"/l")
		handshake(1, 1, "unix", dir+"/l")
	case "no-socket":
		handshake(1, 1, "unix", dir+"/none")
	case "no-tls":
		l, err := net.Listen("unix", dir+"/s")
		if err != nil {
			os.Exit(1)
		}
		s := grpc.NewServer()
		pluginv1grpc.RegisterPluginServer(s, &server{mode: "good"})
		go func() { _ = s.Serve(l) }()
		handshake(1, 1, "unix", dir+"/s")
	case "dies-after-handshake":
		listen(dir + "/s")
		fmt.Printf("1|1|unix|%s/s|grpc|\n", dir)
		os.Exit(4)
	}
	s := &server{mode: mode, stop: make(chan struct{})}
	if mode != "stubborn" {
		go s.lifeline()
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: wire.Handshake(), Plugins: wire.Serving(s), GRPCServer: wire.NewServer,
	})
}

// block waits for a signal that nobody sends; with a bare select the runtime would
// find a deadlock.
func block() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
}

type server struct {
	pluginv1grpc.UnimplementedPluginServer
	mode string

	mu         sync.Mutex
	configured int
	config     string
	devices    []string
	health     int
	stop       chan struct{}
}

// lifeline ends the process with the hub.
func (s *server) lifeline() {
	var b [1]byte
	_, _ = os.Stdin.Read(b[:])
	os.Exit(0)
}

func (s *server) Describe(ctx context.Context, _ *pb.DescribeRequest) (*pb.Description, error) {
	d := &pb.Description{Id: "dev.porchlight.test." + s.mode, Name: "Test " + s.mode, Version: "1.0.0", Capabilities: []string{"camera"}}
	switch s.mode {
	case "describe-hangs":
		block()
	case "describe-empty":
		return &pb.Description{}, nil
	case "lacks-card":
		d.Missing = []*pb.Missing{{What: "a sound card", Fix: "plug one in", Fatal: true}}
	}
	return d, nil
}

func (s *server) Check(_ context.Context, r *pb.CheckRequest) (*pb.CheckResult, error) {
	if strings.Contains(r.GetConfig(), "wrong") {
		return &pb.CheckResult{Problems: []*pb.Problem{{Path: "/host", Message: "no such host", Fix: "write the camera's address"}}}, nil
	}
	out := &pb.CheckResult{}
	for _, d := range r.GetDevices() {
		if strings.Contains(d.GetConfig(), "wrong") {
			out.Problems = append(out.Problems, &pb.Problem{Path: "devices/" + d.GetId() + "/url", Message: "no such camera", Fix: "look at its label"})
		}
	}
	return out, nil
}

func (s *server) Configure(_ context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configured++
	s.config = r.GetConfig()
	s.devices = nil
	for _, d := range r.GetDevices() {
		s.devices = append(s.devices, d.GetId())
	}
	switch {
	case s.mode == "configure-dies":
		fmt.Fprintln(os.Stderr, "about to divide by zero")
		os.Exit(5)
	case strings.Contains(r.GetConfig(), "fatal"):
		os.Exit(6)
	case s.configured > 1 && strings.Contains(r.GetConfig(), "restart"):
		return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_RESTART_NEEDED}, nil
	}
	return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_APPLIED}, nil
}

func (s *server) Health(context.Context, *pb.HealthRequest) (*pb.HealthReport, error) {
	s.mu.Lock()
	s.health++
	n := s.health
	s.mu.Unlock()
	switch {
	case s.mode == "freezes" && n >= 2:
		block()
	case s.mode == "ill", s.mode == "sickens" && n >= 2:
		return &pb.HealthReport{Parts: []*pb.PartHealth{{Part: "camera gate", State: pb.PartHealth_STATE_FAILED, Reason: "401 unauthorized", Fix: "check the password"}}}, nil
	}
	return &pb.HealthReport{}, nil
}

func (s *server) Stop(ctx context.Context, _ *pb.StopRequest) (*pb.StopResult, error) {
	if s.mode == "stubborn" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.StopResult{}, nil
}

// Urgent answers commands by their chime's name, and rings once in mode flood.
func (s *server) Urgent(st grpc.BidiStreamingServer[pb.UrgentFromHub, pb.UrgentFromPlugin]) error {
	if s.mode == "flood" {
		if err := st.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Publish{Publish: &pb.Publish{Event: &pb.Event{Id: "ring", Type: "ring"}}}}); err != nil {
			return err
		}
	}
	for {
		m, err := st.Recv()
		if err != nil {
			return err
		}
		if c := m.GetCommand(); c != nil {
			if s.mode == "late" {
				<-time.After(c.GetDeadline().AsDuration() + 50*time.Millisecond)
			}
			if err := st.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Reply{Reply: &pb.Reply{Id: c.GetId(), R: &pb.Reply_ChimePlayed{ChimePlayed: &pb.ChimePlayed{Played: true, Sound: c.GetChimePlay().GetSound()}}}}}); err != nil {
				return err
			}
		}
	}
}

func (s *server) Link(st grpc.BidiStreamingServer[pb.FromHub, pb.FromPlugin]) error {
	switch s.mode {
	case "crashes":
		fmt.Fprintln(os.Stderr, "the last thing I saw")
		go func() { <-time.After(20 * time.Millisecond); os.Exit(9) }()
	case "panics":
		go func() { panic("a rule was broken") }()
	case "hangs-up":
		return nil
	case "huge":
		return st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Log{Log: &pb.Log{Message: strings.Repeat("x", 5<<20)}}})
	case "deaf":
		<-st.Context().Done()
		return nil
	case "looks":
		raw, _ := json.Marshal(look())
		_ = st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Log{Log: &pb.Log{Level: "info", Message: string(raw)}}})
	case "flood":
		go flood(st)
	case "calls":
		for n := range 200 {
			_ = st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Call{Call: &pb.HubCall{Id: strconv.Itoa(n), C: &pb.HubCall_ListCameras{ListCameras: &pb.ListCameras{}}}}})
		}
	case "parent", "parent-setsid", "parent-swells":
		s.children()
	case "talks":
		// Past os.Stdout and os.Stderr, which go-plugin has replaced: the true descriptors.
		for n := range 3000 {
			_, _ = syscall.Write(1, []byte("stdout after the handshake\n"))
			_, _ = syscall.Write(2, fmt.Appendf(nil, "stderr line %d password=hunter2\n", n))
		}
		_, _ = syscall.Write(2, append(bytes.Repeat([]byte("y"), 100<<10), '\n'))
		fmt.Fprintln(os.Stderr, "by way of os.Stderr")
		_ = st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Log{Log: &pb.Log{Level: "info", Message: "done talking, password=hunter2"}}})
	case "swells":
		b := swell()
		defer func() { _ = b[0] }()
	case "strange":
		for range 3 {
			_ = st.Send(&pb.FromPlugin{})
		}
	}
	for {
		m, err := st.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetM().(type) {
		case *pb.FromHub_Deliver:
			_ = st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Ack{Ack: &pb.EventAck{Seq: m.Deliver.GetEvent().GetSeq()}}})
		case *pb.FromHub_Command:
			if m.Command.GetAction().GetName() == "crash" {
				os.Exit(9)
			}
			s.mu.Lock()
			config := s.config
			if m.Command.GetAction().GetName() == "devices" {
				config = strings.Join(s.devices, " ")
			}
			s.mu.Unlock()
			_ = st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Reply{Reply: &pb.Reply{Id: m.Command.GetId(), R: &pb.Reply_Action{Action: &pb.ActionResult{Output: config}}}}})
		}
	}
}

func flood(st grpc.BidiStreamingServer[pb.FromHub, pb.FromPlugin]) {
	for n := 0; ; n++ {
		if st.Send(&pb.FromPlugin{M: &pb.FromPlugin_Publish{Publish: &pb.Publish{Event: &pb.Event{Id: strconv.Itoa(n), Type: "motion"}}}}) != nil {
			return
		}
	}
}

// swell fills 64 MiB.
func swell() []byte {
	b := make([]byte, 64<<20)
	for n := range b {
		b[n] = 1
	}
	return b
}

// children starts a grandchild of the hub that holds stderr.
func (s *server) children() {
	c := exec.Command("/proc/self/exe", map[bool]string{true: "swell", false: "sleep"}[s.mode == "parent-swells"])
	c.Stderr = os.NewFile(2, "stderr")
	if s.mode == "parent-setsid" {
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
}

// sight is what a plugin can see of its cage.
type sight struct {
	Env        []string
	FDs        []string
	Umask      string
	NoNewPrivs string
	Limits     map[string]uint64
	Dir        string
	Session    int
	PID        int
	Args       []string
}

func look() sight {
	v := sight{Env: os.Environ(), PID: os.Getpid(), Args: os.Args, Limits: map[string]uint64{}}
	v.Dir, _ = os.Getwd()
	v.Session, _ = syscall.Getpgid(0)
	raw, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Umask":
			v.Umask = strings.TrimSpace(value)
		case "NoNewPrivs":
			v.NoNewPrivs = strings.TrimSpace(value)
		}
	}
	for name, which := range map[string]int{"nofile": syscall.RLIMIT_NOFILE, "core": syscall.RLIMIT_CORE, "fsize": syscall.RLIMIT_FSIZE, "data": syscall.RLIMIT_DATA} {
		var l syscall.Rlimit
		_ = syscall.Getrlimit(which, &l)
		v.Limits[name] = l.Max
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil {
			v.FDs = append(v.FDs, fd.Name()+" "+to)
		}
	}
	return v
}
