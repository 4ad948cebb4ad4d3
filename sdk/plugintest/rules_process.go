package plugintest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// stopTime is how long a plugin has to end.
const stopTime = 5 * time.Second

func ruleStop(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		look(ctx)
		began := time.Now()
		sctx, cancel := context.WithTimeout(ctx, stopTime)
		defer cancel()
		if _, err := s.hub.client.Stop(sctx, &pb.StopRequest{Deadline: durationpb.New(stopTime), Reason: "shutdown"}); err != nil {
			return fmt.Errorf("stop after %s: %w", time.Since(began).Round(time.Millisecond), err)
		}
		select {
		case <-s.run.exited:
		case <-time.After(stopTime):
			return fmt.Errorf("the plugin has not ended %s after it answered Stop", stopTime)
		}
		if c := s.run.code(); c != 0 {
			return fmt.Errorf("the plugin ended with code %d, want 0", c)
		}
		return nil
	})
}

func ruleStdout(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		if err := s.provoke(ctx); err != nil {
			return err
		}
		if n := s.run.noise(); n != "" {
			return fmt.Errorf("printed on stdout: %.200q; log to stderr, or better to hub.Log", n)
		}
		return nil
	})
}

func ruleLifeline(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		if err := s.run.stdin.Close(); err != nil {
			return err
		}
		select {
		case <-s.run.exited:
			return nil
		case <-time.After(stopTime):
			return fmt.Errorf("still runs %s after stdin was closed", stopTime)
		}
	})
}

func ruleSignals(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		look(ctx) // what it does about signals is done by then
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			if err := syscall.Kill(s.run.pid, sig); err != nil {
				return err
			}
		}
		look(ctx)
		if !s.alive() {
			return errors.New("ended by a signal")
		}
		return s.healthy(ctx)
	})
}

func ruleByHand(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	made := b.target.(process).cmd()
	cmd := exec.CommandContext(ctx, made.Path, made.Args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, made.Env...)
	var stderr tail
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		return fmt.Errorf("ended with %v, want exit code 2", err)
	case exit.ExitCode() != 2:
		return fmt.Errorf("ended with code %d, want 2", exit.ExitCode())
	case !strings.Contains(strings.ToLower(stderr.String()), "plugin"):
		return fmt.Errorf("does not say on stderr that it is a plugin: %.200q", stderr.String())
	}
	return nil
}

func ruleKilled(ctx context.Context, b *bench) error {
	data, err := os.MkdirTemp("", "pld")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	two := *b
	two.o.DataDir = data
	return two.with(ctx, true, func(first *session) error {
		es, err := first.settled(ctx)
		if err != nil {
			return err
		}
		first.end() // by SIGKILL
		return two.with(ctx, true, func(second *session) error {
			return second.again(ctx, es, nil) // this hub has seen no effect of any of them
		})
	})
}

// Growth that the rule allows: a runtime's own breathing.
const (
	allowGoroutines = 10
	allowThreads    = 8
	allowFiles      = 8
	allowMemory     = 16 << 20 // bytes, or a quarter of what it was
)

func ruleGrowth(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		n := s.o.Events
		if n == 0 {
			n = 10_000
		}
		look(ctx) // it begins its work
		if err := s.flood(ctx, n/10); err != nil {
			return err
		}
		before, err := s.measure()
		if err != nil {
			return err
		}
		if err := s.flood(ctx, n); err != nil {
			return err
		}
		// What the last events began may still run.
		var grown error
		for range 20 {
			after, err := s.measure()
			if err != nil {
				return err
			}
			if grown = after.over(before); grown == nil {
				return nil
			}
			look(ctx)
		}
		return fmt.Errorf("after %d more events: %w", n, grown)
	})
}

// flood delivers events, or where the plugin hears none, asks for its health.
func (s *session) flood(ctx context.Context, n int) error {
	const batch = 100 // unacknowledged at once, as the hub does
	for n > 0 {
		es := s.heard(min(n, batch))
		if len(es) == 0 {
			return s.askOften(ctx, n/10)
		}
		if err := s.hub.deliverAll(es); err != nil {
			return err
		}
		for _, e := range es {
			if _, err := s.hub.acked(ctx, e.Seq); err != nil {
				return err
			}
		}
		n -= len(es)
	}
	return nil
}

func (s *session) askOften(ctx context.Context, n int) error {
	for range n {
		if err := s.healthy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// size is how big a plugin is; zero where it cannot be seen.
type size struct{ goroutines, threads, files, memory int }

func (s *session) measure() (size, error) {
	if s.run.pid == 0 {
		return size{goroutines: runtime.NumGoroutine()}, nil
	}
	var out size
	dir := "/proc/" + strconv.Itoa(s.run.pid)
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return out, fmt.Errorf("measure: %w", err)
	}
	out.files = len(fds)
	f, err := os.Open(dir + "/status")
	if err != nil {
		return out, fmt.Errorf("measure: %w", err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		words := strings.Fields(sc.Text())
		if len(words) < 2 {
			continue
		}
		v, _ := strconv.Atoi(words[1])
		switch words[0] {
		case "VmRSS:":
			out.memory = v << 10
		case "Threads:":
			out.threads = v
		}
	}
	return out, nil
}

func (z size) over(before size) error {
	switch {
	case z.goroutines > before.goroutines+allowGoroutines:
		return fmt.Errorf("%d goroutines, %d before", z.goroutines, before.goroutines)
	case z.threads > before.threads+allowThreads:
		return fmt.Errorf("%d threads, %d before", z.threads, before.threads)
	case z.files > before.files+allowFiles:
		return fmt.Errorf("%d open files, %d before", z.files, before.files)
	case z.memory > before.memory+max(before.memory/4, allowMemory):
		return fmt.Errorf("%d MiB, %d before", z.memory>>20, before.memory>>20)
	}
	return nil
}
