//go:build linux

package home

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// unused is a set-up after which the controller goes away.
func (s *stage) unused(t *testing.T) {
	x := s.verified(s.phone, "gate")
	st, err := x.SetUp(within(t), controller.Usual())
	if err != nil || st.Status != controller.Taken {
		t.Fatalf("%+v %v", st, err)
	}
	x.Close()
	s.free(s.x, 0)
	st.Close()
}

// cycles begins and ends streams in four ways while another phone goes on watching.
func (s *stage) cycles(t *testing.T) {
	other := controller.Usual()
	other.Service = 1
	watcher := s.sees(s.verified(s.phone, "gate"), other)
	active, _ := s.db.Services("110")[0].Find("B0")
	for i := range 40 {
		x := s.x
		if i%4 == 1 {
			x = s.verified(s.phone, "gate")
		}
		st := s.sees(x, controller.Usual())
		if i%8 == 0 {
			if err := st.Speak(voice); err != nil {
				t.Fatal(err)
			}
		}
		switch i % 4 {
		case 0:
			s.over(st, "by the controller", st.End(within(t)))
			if err := st.End(within(t)); err != nil {
				t.Errorf("ended twice: %v", err)
			}
		case 1:
			x.Close()
			s.over(st, "with its connection", nil)
		case 2:
			st.Goodbye()
			s.over(st, "by RTCP", nil)
		case 3:
			err := x.Set(within(t), active, "0")
			s.over(st, "with its service", err)
			if refused, err := x.SetUp(within(t), controller.Usual()); err == nil && refused.Status == controller.Taken {
				t.Error("a service that is off is set up")
			} else if err == nil {
				refused.Close()
			}
			if err := x.Set(within(t), active, "1"); err != nil {
				t.Fatal(err)
			}
		}
		s.free(s.x, 0)
	}
	got := watcher.Video()
	t.Logf("meanwhile another phone got %d pictures, %d packets, %d lost", len(got.Frames), got.Packets, got.Lost)
	if got.Lost > 0 || got.Forged > 0 || time.Since(got.Last) > time.Second {
		t.Errorf("the other phone: %+v", counts(got))
	}
	s.over(watcher, "by the controller", watcher.End(within(t)))
}

// privacy: the owner's switch in Home ends all streams and refuses pictures.
func (s *stage) privacy(t *testing.T) {
	camera := find(t, s.db, "21A", "21B")
	for range 10 {
		second := controller.Usual()
		second.Service = 1
		a, b := s.sees(s.x, controller.Usual()), s.sees(s.x, second)
		if err := s.x.Set(within(t), camera, "0"); err != nil {
			t.Fatal(err)
		}
		s.over(a, "by the privacy switch", nil)
		s.over(b, "by the privacy switch", nil)
		if _, err := s.x.Resource(within(t), 1, 640, 360, controller.Periodic); err == nil {
			t.Error("a picture comes through the privacy switch")
		}
		if refused, err := s.x.SetUp(within(t), controller.Usual()); err == nil && refused.Status == controller.Taken {
			t.Error("a stream is set up through the privacy switch")
		} else if err == nil {
			refused.Close()
		}
		if err := s.x.Set(within(t), camera, "1"); err != nil {
			t.Fatal(err)
		}
		s.free(s.x, 0)
		s.free(s.x, 1)
	}
	if _, err := s.x.Resource(within(t), 1, 640, 360, controller.Periodic); err != nil {
		t.Error(err)
	}
}

// carriedAway: a phone says nothing more, with its connections open; another one tries its
// switches meanwhile.
func (s *stage) carriedAway(t *testing.T) {
	w := controller.Usual()
	w.Service = 1
	away := s.sees(s.verified(s.phone, "gate"), w)
	away.Quiet()
	quiet := time.Now()
	s.mute(t)
	s.free(s.x, 1)
	took := away.Video().Last.Sub(quiet)
	t.Logf("it got its last packet after %s", took.Round(time.Millisecond))
	if took < 9*time.Second || took > 15*time.Second {
		t.Errorf("who says nothing more is sent to for %s, and 10 s are its due", took)
	}
	s.over(away, "by silence", nil)
}

// pulled: the garden's network is gone, and before that one phone's sockets. The phones'
// connections outlive it.
func (s *stage) pulled(t *testing.T) {
	second := controller.Usual()
	second.Service = 1
	a, b := s.sees(s.verified(s.phone, "gate"), controller.Usual()), s.sees(s.verified(s.phone, "gate"), second)
	b.VideoSocket().Close() // its machine says so to each packet, by ICMP
	b.SoundSocket().Close()
	s.cable.B.Pull()
	began := time.Now()
	hubtest.Eventually(t, "nobody watches", func() bool { return len(s.accessory("gate").Watching) == 0 })
	t.Logf("without a network nobody watches after %s", time.Since(began).Round(time.Millisecond))
	s.cable.B.Plug()
	s.free(s.x, 0)
	s.free(s.x, 1)
	s.over(a, "with its network", nil)
	s.over(b, "with its network", nil)
}

// nothingLeft: no packet, no port, no reader at the hub and no goroutine.
func (s *stage) nothingLeft(t *testing.T, plugin, hub, goroutines int) {
	hubtest.Eventually(t, "the plugin has given all sockets back", func() bool { return sockets(t, s.pid("homekit")) <= plugin })
	hubtest.Eventually(t, "nobody reads at the hub", func() bool { return len(s.viewers(t)) == 0 })
	hubtest.Eventually(t, "the hub has given all sockets back", func() bool { return sockets(t, s.PID) <= hub })
	if w := s.accessory("gate").Watching; len(w) > 0 {
		t.Errorf("somebody watches: %+v", w)
	}
	ways := map[string]int{}
	for _, e := range s.past {
		ways[e.how]++
		for _, r := range []receive.Received{e.Video(), e.Stream.Sound()} {
			if late := r.Last.Sub(e.at); late > 500*time.Millisecond {
				t.Errorf("a packet comes %s after the end %s", late, e.how)
			}
		}
	}
	t.Logf("%d streams ended: %v", len(s.past), ways)
	var total int
	var left []string
	defer func() { t.Logf("%d goroutines at the end, and %d before; of streams %v", total, goroutines, left) }()
	hubtest.Eventually(t, "no goroutine is left", func() bool {
		total, left = s.goroutines(t)
		return total <= goroutines && len(left) == 0
	})
}

// goroutines of the plugin, and the lines of those that belong to streams.
func (s *stage) goroutines(t *testing.T) (total int, streams []string) {
	t.Helper()
	var file string
	hubtest.Eventually(t, "the plugin tells its goroutines", func() bool {
		if err := syscall.Kill(s.pid("homekit"), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(s.DataDir, "plugin-data", "homekit", "goroutines")
		_, err := os.Stat(file)
		return err == nil
	})
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(b), "goroutine profile: total %d", &total); err != nil {
		t.Fatalf("%.200s: %v", b, err)
	}
	for l := range strings.Lines(string(b)) {
		if strings.Contains(l, "plugins/homekit/rtpout") || strings.Contains(l, "plugins/homekit/camera.(*stream)") {
			streams = append(streams, strings.TrimSpace(l))
		}
	}
	return total, streams
}

// viewers at the hub.
func (s *site) viewers(t *testing.T) []api.Viewing {
	t.Helper()
	res, err := s.Client.Do(t.Context(), "GET", "/viewers", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Viewers []api.Viewing }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Viewers
}
