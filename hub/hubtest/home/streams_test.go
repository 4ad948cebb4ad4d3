//go:build linux

package home

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
)

// stage is a paired phone at the gate, for what is tried with one stream or another.
type stage struct {
	*site
	camera string // the demo's, that it stands before
	phone  *controller.Controller
	x      *controller.Conn
	db     controller.Database
	past   []ended
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
	s := &stage{camera: "gate", site: newSite(t, fmt.Sprintf(countedDoors, hubtest.Build(t, "./hub/hubtest/home/testdata/counted")))}
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

// speak speaks until the demo hears it.
func (s *stage) speak(t *testing.T, st *controller.Stream) {
	t.Helper()
	if err := st.Speak(voice); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the demo hears the voice", func() bool {
		hz, talking := s.tone(t, s.camera)
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
		_, talking := s.tone(t, s.camera)
		return !talking
	})
	if err := s.x.Set(within(t), speaker, "false"); err != nil {
		t.Fatal(err)
	}
	s.speak(t, st)
	s.over(st, "by the controller", st.End(within(t)))
}
