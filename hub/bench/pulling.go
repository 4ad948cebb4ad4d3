package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// pulling: what cameras cost while they run.
func (b *bench) pulling(f *farm, bin string) error {
	b.page.section("Pulling", "Processor time of the whole process tree, as a share of one core, for RTSP cameras of 4 Mb/s over TCP. The floor reads the same sockets and throws all away. "+
		rivalName+" pulls only for somebody: beside our pull with nobody watching it has one RTSP reader a camera, the cheapest that it has; the second row of each has one page by MSE a camera on both sides.")
	for _, n := range []int{1, many} {
		if err := b.pullingOf(f, bin, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pullingOf(f *farm, bin string, n int) error {
	urls := f.urls(n, "4s")
	h, web, err := b.hot(urls)
	if err != nil {
		return err
	}
	defer h.stop()
	r, err := b.newRival(bin, urls)
	if err != nil {
		return err
	}
	if err := r.launch(); err != nil {
		return err
	}
	defer r.stop()
	ctx, cancel := context.WithTimeout(b.ctx, 10*hang)
	defer cancel()
	if err := r.ready(ctx); err != nil {
		return err
	}
	floor, err := b.startChild(true, append([]string{"pull"}, urls...)...)
	if err != nil {
		return err
	}
	defer floor.end()
	var relayed []string
	for i := range n {
		relayed = append(relayed, "rtsp://"+r.rtsp+"/"+cameraID(i))
	}
	readers, err := b.startChild(true, append([]string{"pull"}, relayed...)...)
	if err != nil {
		return err
	}
	share := func(what func() error) (ours, peer, bare float64, err error) {
		pids := []int{h.cmd.Process.Pid, r.cmd.Process.Pid, floor.cmd.Process.Pid}
		var used [3]time.Duration
		d := b.seconds(8, 3)
		for i, pid := range pids {
			t, err := treeCPU(pid)
			if err != nil {
				return 0, 0, 0, err
			}
			used[i] = -t
		}
		if err := what(); err != nil {
			return 0, 0, 0, err
		}
		for i, pid := range pids {
			t, err := treeCPU(pid)
			if err != nil {
				return 0, 0, 0, err
			}
			used[i] += t
		}
		p := func(i int) float64 { return 100 * used[i].Seconds() / d.Seconds() }
		return p(0), p(1), p(2), nil
	}
	run := func() error { return b.pause(b.seconds(8, 3)) }
	ours, peer, bare, err := share(run)
	readers.end()
	if err != nil {
		return err
	}
	b.page.add(row{what: fmt.Sprintf("%d pulled", n), peerName: rivalName + ", an RTSP reader each", peer: peer, floor: bare, ours: ours, unit: "%", goal: none})
	leaveOurs, err := watchAll(ctx, n, func(ctx context.Context, i int) (*stamped, error) { return h.watchCamera(ctx, web, cameraID(i)) })
	if err != nil {
		return err
	}
	defer leaveOurs()
	leavePeer, err := watchAll(ctx, n, func(ctx context.Context, i int) (*stamped, error) { return r.watch(ctx, cameraID(i)) })
	if err != nil {
		return err
	}
	defer leavePeer()
	if ours, peer, _, err = share(run); err != nil {
		return err
	}
	b.page.add(row{what: fmt.Sprintf("%d pulled and watched by MSE", n), peerName: rivalName + ", the same", peer: peer, floor: none, ours: ours, unit: "%", goal: none})
	return nil
}

// fanOut: one camera and one page are frozen; the others must not notice.
func (b *bench) fanOut(f *farm, bin string) error {
	frozen, err := b.newFarm(f.films) // one camera, whose process is stopped
	if err != nil {
		return err
	}
	defer frozen.end()
	urls := append(f.urls(many-1, "4s"), frozen.urls(1, "4s")...)
	h, web, err := b.hot(urls)
	if err != nil {
		return err
	}
	defer h.stop()
	r, err := b.newRival(bin, urls)
	if err != nil {
		return err
	}
	if err := r.launch(); err != nil {
		return err
	}
	defer r.stop()
	if err := r.ready(b.ctx); err != nil {
		return err
	}
	ours := func(ctx context.Context, i int) (*stamped, error) { return h.watchCamera(ctx, web, cameraID(i)) }
	peer := func(ctx context.Context, i int) (*stamped, error) { return r.watch(ctx, cameraID(i)) }
	b.page.section("Fan-out with something frozen", fmt.Sprintf("%d cameras of 4 Mb/s, a page on each of %d: from a picture's write into the camera's socket to its arrival at the page, over all pages. "+
		"Frozen: the last camera's process is stopped, and one more page on the first camera does not read. A row whose pictures were lost says so.", many, many-1))
	for _, c := range []struct {
		what   string
		freeze bool
	}{{"nothing frozen", false}, {"a camera and a page frozen", true}} {
		var late [2]times
		var gaps [2]int
		for i, open := range []func(context.Context, int) (*stamped, error){ours, peer} {
			if late[i], gaps[i], err = b.fanOf(open, frozen, c.freeze); err != nil {
				return err
			}
		}
		goal := none
		if c.freeze {
			goal = 1.0
		}
		what := c.what
		for i, who := range []string{"ours", "the peer"} {
			if gaps[i] > 0 {
				what += fmt.Sprintf("; %s lost pictures at %d places", who, gaps[i])
			}
		}
		b.page.add(row{what: "median, " + what, peerName: rivalName, peer: ms(late[1].p50()), floor: none, ours: ms(late[0].p50()), unit: "ms", goal: none})
		b.page.add(row{what: "p99, " + what, peerName: rivalName, peer: ms(late[1].p99()), floor: none, ours: ms(late[0].p99()), unit: "ms", goal: goal})
	}
	b.page.say("The aim for the p99 with something frozen is 20 ms.")
	return nil
}

func (b *bench) fanOf(open func(context.Context, int) (*stamped, error), frozen *farm, freeze bool) (late times, gaps int, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, 4*hang)
	defer cancel()
	var views []*stamped
	for i := range many - 1 {
		v, err := open(ctx, i)
		if err == nil {
			defer v.close()
			err = v.read(ctx)
		}
		if err != nil {
			return nil, 0, err
		}
		views = append(views, v)
	}
	if freeze {
		v, err := open(ctx, 0) // it asks, and never reads
		if err != nil {
			return nil, 0, err
		}
		defer v.close()
		pid := frozen.cmd.Process.Pid
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return nil, 0, err
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // it is ours and there
	}
	d, stop := context.WithTimeout(ctx, b.seconds(9, 4))
	defer stop()
	var all sync.WaitGroup
	errs := make([]error, len(views))
	for i, v := range views {
		all.Go(func() { errs[i] = v.note(d) })
	}
	all.Wait()
	for _, v := range views {
		// What waited for the page before it was noted is older than what is live.
		late = append(late, v.late[min(len(v.late), 2*25):]...)
		gaps += v.gaps
	}
	return late, gaps, errors.Join(errs...)
}
