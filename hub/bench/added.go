package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// added: what one viewer more costs on a camera that is watched already.
func (b *bench) added(f *farm, bin string) error {
	t, err := b.newThree(bin, f.live(1, "1s"))
	if err != nil {
		return err
	}
	defer t.end()
	w, err := b.newWatchers()
	if err != nil {
		return err
	}
	defer w.end()
	b.page.section("An added viewer", "One camera of 4 Mb/s with a key frame each second: processor time a minute with many viewers less that with one, for each viewer between. The floor of MSE writes the same bytes from one buffer to each connection; "+
		"that of WebRTC seals each packet for its viewer (AES-128-GCM) and sends all of a picture by one call that the kernel cuts (UDP_SEGMENT). Both do nothing else. Medians of rounds in which ours and the peer take turns.")
	for _, c := range []struct {
		way, name, miss string
		many            int
		goal            float64
		floor           func(*watchers, int, int) (turn, error)
	}{
		{part.MSE, "MSE", "", 16, 0.30, b.fanned},
		{part.WebRTC, "WebRTC", "", 8, 0.40, b.blasted},
	} {
		var sums [3][]float64
		lost, size := "", 0
		for round := range b.rounds(3, 1) {
			for i, s := range []*side{t.ours, t.peer, t.floor} {
				if i == 2 && round > 0 { // one round of the floor is enough
					continue
				}
				var used [2]float64
				for k, n := range []int{1, c.many} {
					var got turn
					if i < 2 {
						if got, err = b.watched(w, s, c.way, 1, n, b.seconds(3.5, 1.5)); err == nil {
							size = int(got.seen.Bytes) / max(1, got.seen.Pictures)
						}
					} else {
						got, err = c.floor(w, n, size)
					}
					if err != nil {
						return t.house.failed(err)
					}
					used[k] = got.perMinute()
					if got.seen.Gaps+got.seen.Lost > 0 {
						lost += fmt.Sprintf("; **%s lost %d packets and pictures at %d places**", s.name, got.seen.Lost, got.seen.Gaps)
					}
				}
				sums[i] = append(sums[i], (used[1]-used[0])/float64(c.many-1))
			}
		}
		b.page.add(row{what: fmt.Sprintf("by %s, of %d", c.name, c.many) + lost, peerName: rivalName, peer: median(sums[1]), floor: median(sums[2]), ours: median(sums[0]), unit: "s", goal: c.goal, miss: c.miss})
	}
	return nil
}

// fanned is the floor of MSE with so many viewers and bytes a picture.
func (b *bench) fanned(_ *watchers, n, size int) (turn, error) {
	d := b.seconds(3.5, 1.5)
	used, err := b.fanning(size, n, d)
	return turn{cpu: used, took: d}, err
}

// blasted is the floor of WebRTC.
func (b *bench) blasted(_ *watchers, n, size int) (turn, error) {
	args := []string{"blast", strconv.Itoa(size)}
	for range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return turn{}, err
		}
		defer c.Close()
		args = append(args, c.LocalAddr().String())
		go func() { // ends when it closes
			b := make([]byte, 2048)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}()
	}
	c, err := b.startChild(true, args...)
	if err != nil {
		return turn{}, err
	}
	defer c.end()
	if err := b.pause(b.seconds(0.5, 0.3)); err != nil {
		return turn{}, err
	}
	before, d := cpuTime(c.cmd.Process.Pid), b.seconds(3.5, 1.5)
	if err := b.pause(d); err != nil {
		return turn{}, err
	}
	return turn{cpu: cpuTime(c.cmd.Process.Pid) - before, took: d}, nil
}
