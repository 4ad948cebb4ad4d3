//go:build linux

package home

import (
	"encoding/json"
	"fmt"
	"net/netip"
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

// stage is a paired phone at the gate, for what is tried with one stream or another.
type stage struct {
	*site
	phone *controller.Controller
	x     *controller.Conn
	db    controller.Database
	past  []ended
}

// ended is a stream after which nothing more may come.
type ended struct {
	*controller.Stream
	how string
	at  time.Time
}

// countedDoors is twoDoors with the plugin in a program that counts its goroutines.
const countedDoors = `
plugins:
  homekit:
    path: %s
    permissions:
      network: [{listen: lan, proto: [tcp, udp, mdns], why: phones}]
      subscribe: ["camera.*.ring", "camera.*.motion", "camera.*.person", "camera.*.vehicle", "camera.*.animal", "camera.*.online", "device.*.status", system.quiet, system.cameras, system.house]
      publish: ["plugin.*.hop"]
      commands: [device.act, chime.quiet]
      media: {read: true}
      talk: true
      secrets: own
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo, ring: {debounce: 0s}}
`

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{site: newSite(t, fmt.Sprintf(countedDoors, hubtest.Build(t, "./hub/hubtest/home/testdata/counted")))}
	s.phone = s.site.phone("phone")
	s.pair(s.phone, "gate")
	s.x = s.verified(s.phone, "gate")
	s.db = s.listen(s.x)
	return s
}

// sees starts a stream and waits for its first key frame.
func (s *stage) sees(x *controller.Conn, w controller.StreamWish) *controller.Stream {
	s.t.Helper()
	st, err := x.Stream(within(s.t), w)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(st.Close)
	s.keyFrame(st, 0)
	return st
}

// keyFrame waits for one behind the pictures that there are, and gives its number.
func (s *stage) keyFrame(st *controller.Stream, after int) (n int) {
	s.t.Helper()
	hubtest.Eventually(s.t, "a key frame comes", func() bool {
		frames := st.Video().Frames
		for n = after; n < len(frames); n++ {
			if frames[n].Key() {
				return true
			}
		}
		return false
	})
	return n
}

// free waits until a stream management is free.
func (s *stage) free(x *controller.Conn, service int) {
	s.t.Helper()
	id, _ := s.db.Services("110")[service].Find("120")
	hubtest.Eventually(s.t, "the stream management is free", func() bool {
		t, err := x.GetTLV(within(s.t), id)
		return err == nil && t.Uint(1) == 0
	})
}

// TestStreams is one stream in all its states, and the ways in which it can end.
func TestStreams(t *testing.T) {
	s := newStage(t)
	s.part("rest, another size and key frames on request", s.states)
	s.part("small datagrams of a small picture", s.small)
	s.part("by IPv6", s.ipv6)
	s.part("mute, and a phone that is carried away", s.carriedAway)
	s.part("what is set up and never begun", s.unused)
	plugin, hub := sockets(t, s.pid("homekit")), sockets(t, s.PID)
	goroutines, _ := s.goroutines(t)
	s.part("fifty begin and end", s.cycles)
	s.part("privacy ends all", s.privacy)
	s.part("the cable is pulled", s.pulled)
	s.part("nothing is left", func(t *testing.T) { s.nothingLeft(t, plugin, hub, goroutines) })
}

func (s *stage) states(t *testing.T) {
	st := s.sees(s.x, controller.Usual())
	if err := st.Suspend(within(t)); err != nil {
		t.Fatal(err)
	}
	if n, err := st.Running(within(t)); err != nil || n != 1 {
		t.Errorf("at rest 120 shows %d %v", n, err)
	}
	if _, err := s.x.Resource(within(t), 1, 320, 240, controller.Periodic); err != nil {
		t.Error(err)
	}
	rest := st.Video()
	if err := st.Resume(within(t)); err != nil {
		t.Fatal(err)
	}
	n := s.keyFrame(st, len(rest.Frames))
	if n > len(rest.Frames)+1 {
		t.Errorf("after the rest %d pictures come before a key frame", n-len(rest.Frames))
	}
	// A key frame on request comes before the next one would, which is 2 s after the last.
	for name, ask := range map[string]func(){"picture loss": st.PictureLoss, "full intra": func() { st.FullIntra(1) }} {
		n, frames := len(st.Video().Frames), []receive.Frame(nil)
		for { // what was sent again a moment ago is not sent again at once
			m := s.keyFrame(st, n)
			frames = st.Video().Frames
			if n = m + 1; frames[m].Timestamp-stampOf(frames, m) > 1.9*90000 {
				break
			}
		}
		next := n
		hubtest.Eventually(t, "a key frame comes on request", func() bool {
			ask() // again and again, as phones do
			for frames = st.Video().Frames; next < len(frames); next++ {
				if frames[next].Key() {
					return true
				}
			}
			return false
		})
		apart := float64(frames[next].Timestamp-frames[n-1].Timestamp) / 90000
		t.Logf("%s: a key frame %.2f s after another", name, apart)
		if apart > 1.8 {
			t.Errorf("%s: a key frame on request comes after %.2f s, and without one after 2 s", name, apart)
		}
	}
	smaller := controller.Usual()
	smaller.Width, smaller.Height, smaller.Kbps = 640, 360, 300
	if err := st.Reconfigure(within(t), smaller); err != nil {
		t.Fatal(err)
	}
	from := len(st.Video().Frames)
	hubtest.Eventually(t, "pictures of the other size come", func() bool {
		frames := st.Video().Frames
		for i := from; i < len(frames); i++ {
			if frames[i].Key() && i+5 < len(frames) {
				p := probe(t, frames[i:i+5])
				if p.Streams[0].Width == 640 && p.Streams[0].Height == 360 {
					return true
				}
				from = i + 1
			}
		}
		return false
	})
	if w := s.accessory("gate").Watching; len(w) != 1 || !strings.HasPrefix(w[0].How, "converted") {
		t.Errorf("a smaller picture is told as %+v", w)
	}
	s.over(st, "by the controller", st.End(within(t)))
}

// stampOf the key frame before a frame; its own where there is none.
func stampOf(frames []receive.Frame, n int) uint32 {
	for i := n - 1; i >= 0; i-- {
		if frames[i].Key() {
			return frames[i].Timestamp
		}
	}
	return frames[n].Timestamp
}

// over notes the end of a stream.
func (s *stage) over(st *controller.Stream, how string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("end %s: %v", how, err)
	}
	st.Hush()
	s.past = append(s.past, ended{st, how, time.Now()})
}

// small: what a watch asks for on a tunnel; nothing that comes is more than that.
func (s *stage) small(t *testing.T) {
	w := controller.Usual()
	w.MTU, w.Profile, w.Level, w.Width, w.Height, w.FPS, w.Kbps = 600, controller.Baseline, controller.Level31, 480, 270, 15, 200
	st := s.sees(s.x, w)
	hubtest.Eventually(t, "forty pictures come", func() bool { return len(st.Video().Frames) > 40 })
	got := st.Video()
	if got.Largest > 600 || got.Lost > 0 {
		t.Errorf("%+v", counts(got))
	}
	p := probe(t, got.Frames).Streams[0]
	took := got.Frames[40].Timestamp - got.Frames[20].Timestamp // the first ones come faster, until it is live
	t.Logf("%+v, 20 pictures in %.2f s", p, float64(took)/90000)
	if !strings.Contains(p.Profile, "Baseline") || p.Level > 31 || p.Width > 480 || p.Height > 270 || p.HasB != 0 || took < 20*90000/16 {
		t.Errorf("%+v, 20 pictures in %d ticks", p, took)
	}
	s.over(st, "by the controller", st.End(within(t)))
}

func (s *stage) ipv6(t *testing.T) {
	a := s.accessory("gate")
	x, err := s.phone.Verify(within(t), netip.AddrPortFrom(house6.Addr(), uint16(a.Port)).String())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	st := s.sees(x, controller.Usual())
	hubtest.Eventually(t, "fifty pictures and sound come", func() bool { return len(st.Video().Frames) > 50 && len(st.Sound().Sound) > 20 })
	if got := st.Video(); got.Largest > 1228 || got.Lost > 0 || st.Address != house6.Addr() {
		t.Errorf("from %s: %+v", st.Address, counts(got))
	}
	s.speak(t, st)
	s.over(st, "by the controller", st.End(within(t)))
}

// tone is what the demo hears now, in Hz.
func (s *stage) tone(t *testing.T) (hz float64, talking bool) {
	b, err := s.Client.Act(t.Context(), "demo", "talk_status", json.RawMessage(`{"camera": "gate"}`))
	var st struct {
		Talking bool
		ToneHz  float64 `json:"tone_hz"`
	}
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		t.Fatal(err)
	}
	return st.ToneHz, st.Talking
}

// speak speaks until the demo hears it.
func (s *stage) speak(t *testing.T, st *controller.Stream) {
	t.Helper()
	if err := st.Speak(voice); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the demo hears the voice", func() bool {
		hz, talking := s.tone(t)
		return talking && hz > voice-20 && hz < voice+20
	})
}

func (s *stage) mute(t *testing.T) {
	microphone, speaker := find(t, s.db, "112", "11A"), find(t, s.db, "113", "11A")
	if err := s.x.Set(within(t), microphone, "true"); err != nil {
		t.Fatal(err)
	}
	st := s.sees(s.x, controller.Usual())
	hubtest.Eventually(t, "fifty pictures come", func() bool { return len(st.Video().Frames) > 50 })
	if n := len(st.Sound().Sound); n > 0 {
		t.Errorf("%d packets of sound come from a microphone that is mute", n)
	}
	if err := s.x.Set(within(t), microphone, "false"); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "sound comes", func() bool { return len(st.Sound().Sound) > 20 })
	s.speak(t, st)
	if err := s.x.Set(within(t), speaker, "true"); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the demo hears no more", func() bool {
		_, talking := s.tone(t)
		return !talking
	})
	if err := s.x.Set(within(t), speaker, "false"); err != nil {
		t.Fatal(err)
	}
	s.speak(t, st)
	s.over(st, "by the controller", st.End(within(t)))
}

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
