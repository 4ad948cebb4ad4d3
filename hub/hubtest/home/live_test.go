//go:build linux

package home

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
)

const (
	hum   = 440  // Hz, that the porch's camera sends
	voice = 1000 // Hz, that phones speak
	// loop of the demo's film: the loudness of as much of it is always the same.
	loop = 12 * time.Second
	// keyFrames come so often, in seconds, at most.
	keyFrames = 4
	// porchLevel is what its camera sends: a sine of 0.3 of full scale.
	porchLevel = -13.47 // dB of full scale
)

// live is a site with both kinds of doorbell: the demo, and a foreign RTSP camera.
type live struct {
	*site
	camera *hubtest.Camera
	heard  string // what the porch's camera hears
}

func newLive(t *testing.T) *live {
	t.Helper()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: %v; apt-get install ffmpeg", err)
	}
	l := &live{site: newLand(t), heard: filepath.Join(t.TempDir(), "heard.raw")}
	l.camera = hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "p@:/#", Digest: true, Streams: map[string]hubtest.CameraStream{
		"/main": {Sound: "aac", Tone: hum, Width: 640, Height: 360, FPS: 15, Key: 4, Kbps: 600, Talk: "pcmu", Heard: l.heard}}})
	l.start(hubtest.Dir(t, head+fmt.Sprintf(`
plugins:
  homekit: {builtin: homekit}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo, ring: {debounce: 0s}}
  porch: {name: Porch, kind: doorbell, ring: {debounce: 0s}, source: {url: "rtsp://%s/main", username: cam, password: "p@:/#"}}
`, l.camera.Address())))
	return l
}

// TestLive is what phones see and hear, and what is heard of them.
func TestLive(t *testing.T) {
	l := newLive(t)
	phone, other := l.phone("phone"), l.phone("other phone")
	l.pair(phone, "gate")
	l.pair(phone, "porch")
	gate, porch := l.verified(phone, "gate"), l.verified(phone, "porch")
	l.admit(gate, other)
	second := l.verified(other, "gate")

	wish := controller.Usual()
	views := map[string]*view{
		"gate": l.view(gate, 25, wish),
		"gate for another phone at the same time": l.view(second, 25, func() controller.StreamWish {
			w := wish
			w.Service, w.SoundRate, w.Packet = 1, 16000, 60*time.Millisecond
			return w
		}()),
		"porch": l.view(porch, 15, wish),
	}
	if busy, err := second.SetUp(within(t), wish); err != nil || busy.Status != controller.Busy {
		t.Errorf("a view that is in use is set up once more: %+v %v", busy, err)
	} else {
		busy.Close()
	}
	l.part("the plugin tells who watches", l.watched)
	l.part("the porch is rung by its hook", func(t *testing.T) { l.hook(t, porch) })
	l.part("talk", func(t *testing.T) { l.talk(t, views["gate"], views["porch"]) })
	var wg sync.WaitGroup
	reference := l.reference("gate")
	for _, v := range views {
		wg.Go(func() { v.finish() })
	}
	wg.Wait()
	for name, v := range views {
		l.part(name, func(t *testing.T) { v.judge(t) })
	}
	l.part("the camera is away", func(t *testing.T) { l.away(t, porch) })
	l.part("how loud it is", func(t *testing.T) {
		for _, name := range []string{"gate", "gate for another phone at the same time"} {
			got, want := loudness(views[name].pcm(t)), loudness(reference())
			t.Logf("%s: %.1f dB, the demo's own sound %.1f dB", name, got, want)
			if math.Abs(got-want) > 3 {
				t.Errorf("%s: %.1f dB, and the demo sends %.1f dB", name, got, want)
			}
		}
		pcm := views["porch"].pcm(t)
		pcm = pcm[len(pcm)/2:]
		hz, pure := hubtest.Pitch(pcm[:rate], rate)
		got := loudness(pcm)
		t.Logf("porch: %.0f Hz, %.0f %% of all, %.1f dB", hz, 100*pure, got)
		if hz != hum || pure < 0.9 || math.Abs(got-porchLevel) > 3 {
			t.Errorf("the porch's tone is %.0f Hz of %.1f dB, and was %d Hz of %.1f dB", hz, got, hum, porchLevel)
		}
	})
}

// hook rings the porch as a button of another's does; the phone that watches is told once,
// and its picture is of then.
func (l *live) hook(t *testing.T, x *controller.Conn) {
	bell := find(t, l.listen(x), "121", "73")
	h, err := l.Client.Hook(t.Context(), "porch")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		res, err := http.Post(h.URL, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode >= 300 {
			t.Fatal(res.Status)
		}
		if v := next(t, x, bell); v != "0" {
			t.Errorf("a press is told as %s", v)
		}
		if b, err := x.Resource(within(t), 1, 640, 360, controller.ForEvent); err != nil || len(b) == 0 {
			t.Errorf("a picture of the press: %d bytes %v", len(b), err)
		}
	}
	select {
	case e := <-x.Events():
		t.Errorf("more is told: %+v", e)
	default:
	}
}

// away: without its camera an accessory stays, says so, and hangs nowhere.
func (l *live) away(t *testing.T, x *controller.Conn) {
	db := l.listen(x)
	active := find(t, db, "85", "75")
	if err := x.Subscribe(within(t), active); err != nil {
		t.Fatal(err)
	}
	l.camera.Kill()
	if v := next(t, x, active); v != "0" && v != "false" {
		t.Errorf("without its camera it is told to be %s", v)
	}
	began := time.Now()
	b, err := x.Resource(within(t), 1, 640, 360, controller.Periodic)
	t.Logf("without its camera: a picture of %d bytes, %v, after %s", len(b), err, time.Since(began).Round(time.Millisecond))
	if err != nil && !strings.Contains(err.Error(), "-70402") {
		t.Errorf("a picture without a camera: %v", err)
	}
	s, err := x.SetUp(within(t), controller.Usual())
	if err != nil {
		t.Fatal(err)
	}
	if s.Status == controller.Taken {
		t.Error("a stream is set up without a camera")
	}
	s.Close()
	l.camera.Again()
	if v := next(t, x, active); v != "1" && v != "true" {
		t.Errorf("with its camera it is told to be %s", v)
	}
	st, err := x.Stream(within(t), controller.Usual())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hubtest.Eventually(t, "pictures come again", func() bool { return len(st.Video().Frames) > 5 })
}

// view is one live view with what it is to be held against.
type view struct {
	*controller.Stream
	l    *live
	wish controller.StreamWish
	fps  float64 // that the camera sends
}

func (l *live) view(x *controller.Conn, fps float64, w controller.StreamWish) *view {
	l.t.Helper()
	s, err := x.Stream(within(l.t), w)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(s.Close)
	return &view{Stream: s, l: l, wish: w, fps: fps}
}

// finish ends the view after one loop of the film.
func (v *view) finish() {
	hubtest.Eventually(v.l.t, "one turn of the film has come", func() bool {
		r := v.Sound()
		return len(r.Sound) > 0 && r.Sound[len(r.Sound)-1].At.Sub(r.Sound[0].At) > loop+500*time.Millisecond
	})
	if err := v.End(within(v.l.t)); err != nil {
		v.l.t.Error(err)
	}
}

// judge holds pictures, sound and reports of a view against what was asked for.
func (v *view) judge(t *testing.T) {
	pictures, heard := v.Video(), v.Sound()
	whole, first := 0, pictures.Frames[0]
	for _, f := range pictures.Frames {
		if f.Whole && f.Timestamp-first.Timestamp < 10*90000 {
			whole++
		}
	}
	p := probe(t, pictures.Frames)
	t.Logf("first packet after %s, %d whole pictures in 10 s of %.0f a second, %d packets, %d lost, largest %d bytes; %+v",
		pictures.First.Round(time.Millisecond), whole, v.fps, pictures.Packets, pictures.Lost, pictures.Largest, p.Streams[0])
	if float64(whole) < 0.95*10*v.fps {
		t.Errorf("%d whole pictures in 10 s", whole)
	}
	if broken := len(pictures.Frames) - len(all(pictures.Frames, func(f receive.Frame) bool { return f.Whole })); broken > 1 { // the last one may be cut
		t.Errorf("%d of %d pictures are not whole", broken, len(pictures.Frames))
	}
	if len(p.Frames) != len(pictures.Frames) {
		t.Errorf("%d pictures came, %d can be decoded", len(pictures.Frames), len(p.Frames))
	}
	if !first.Key() || first.SPS() == nil || p.Frames[0].Key != 1 {
		t.Error("the first picture is no IDR with its parameters")
	}
	for i, f := range p.Frames {
		if f.Type == "B" {
			t.Errorf("picture %d is a B-frame", i)
		}
	}
	s := p.Streams[0]
	if s.Width > v.wish.Width || s.Height > v.wish.Height || s.Level > 40 || s.HasB != 0 {
		t.Errorf("what came was not asked for: %+v", s)
	}
	if pictures.Forged+pictures.Foreign+pictures.Late+heard.Forged+heard.Foreign+heard.Late > 0 {
		t.Errorf("packets that do not belong: %+v %+v", counts(pictures), counts(heard))
	}
	if pictures.Largest > v.wish.MTU || heard.Largest > v.wish.MTU {
		t.Errorf("datagrams of %d and %d bytes", pictures.Largest, heard.Largest)
	}
	v.alone(t, pictures.Frames)
	v.clocks(t, pictures, heard)
}

func all[T any](list []T, is func(T) bool) (out []T) {
	for _, v := range list {
		if is(v) {
			out = append(out, v)
		}
	}
	return out
}

func counts(r receive.Received) receive.Received {
	r.Frames, r.Sound, r.Reports, r.Arrived = nil, nil, nil, nil
	return r
}

// alone: parameters come in packets of their own before each IDR.
func (v *view) alone(t *testing.T, frames []receive.Frame) {
	t.Helper()
	for i, f := range frames {
		if f.Key() && (f.SPS() == nil || f.NAL(8) == nil) {
			t.Errorf("key frame %d comes without its parameters", i)
		}
	}
}

// clocks: stamps grow with time, the sound's by the rate that was asked for and by each
// packet's length, and the reports put both on one clock.
func (v *view) clocks(t *testing.T, pictures, heard receive.Received) {
	t.Helper()
	step := uint32(float64(v.wish.SoundRate) * v.wish.Packet.Seconds())
	for i := 1; i < len(heard.Sound); i++ {
		if d := heard.Sound[i].Timestamp - heard.Sound[i-1].Timestamp; d != step {
			t.Errorf("sound packet %d comes %d ticks after the last one, want %d", i, d, step)
			break
		}
	}
	n := len(heard.Sound) - 1
	took := heard.Sound[n].At.Sub(heard.Sound[0].At).Seconds()
	// It begins with what was said since the key frame, all at once.
	if got := float64(heard.Sound[n].Timestamp-heard.Sound[0].Timestamp) / float64(v.wish.SoundRate); got < took-0.2 || got > took+keyFrames+0.5 {
		t.Errorf("%.2f s of sound came in %.2f s", got, took)
	}
	if len(pictures.Reports) < 10 || len(heard.Reports) < 10 {
		t.Errorf("%d and %d sender reports in %s", len(pictures.Reports), len(heard.Reports), loop)
		return
	}
	// The moment of a stamp on the wall, by the last report.
	wall := func(r receive.Received, stamp uint32, hz float64) time.Time {
		last := r.Reports[len(r.Reports)-1]
		return srtp.Wall(last.NTP).Add(time.Duration(float64(int32(stamp-last.Timestamp)) / hz * float64(time.Second)))
	}
	p := wall(pictures, pictures.Frames[len(pictures.Frames)-1].Timestamp, 90000)
	s := wall(heard, heard.Sound[n].Timestamp, float64(v.wish.SoundRate))
	apart := p.Sub(pictures.Frames[len(pictures.Frames)-1].At) - s.Sub(heard.Sound[n].At)
	late := pictures.Frames[len(pictures.Frames)-1].At.Sub(p)
	t.Logf("by the reports picture and sound are %s apart, and the picture is %s old", apart.Round(time.Millisecond), late.Round(time.Millisecond))
	if apart.Abs() > 400*time.Millisecond {
		t.Errorf("picture and sound are %s apart", apart)
	}
}

// watched: the status names each viewer and how it is served.
func (l *live) watched(t *testing.T) {
	var gate, porch accessory
	hubtest.Eventually(t, "three watch, and it is known what", func() bool {
		gate, porch = l.accessory("gate"), l.accessory("porch")
		seen := 0
		for _, w := range append(gate.Watching, porch.Watching...) {
			if w.Width > 0 {
				seen++
			}
		}
		return len(gate.Watching) == 2 && len(porch.Watching) == 1 && seen == 3
	})
	for _, w := range append(gate.Watching, porch.Watching...) {
		t.Logf("%+v", w)
		// The porch's sound is AAC, which Home cannot take; its picture is a copy all the same.
		if w.Stream == "" || w.How != "copy" {
			t.Errorf("watched as %+v", w)
		}
	}
}

// talk: what phones say is heard at the demo's door and by a foreign camera's back channel.
func (l *live) talk(t *testing.T, gate, porch *view) {
	for _, v := range []*view{gate, porch} {
		if err := v.Speak(voice); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	hubtest.Eventually(t, "the demo hears the voice", func() bool {
		hz, talking := l.tone(t, "gate")
		return talking && math.Abs(hz-voice) <= 20
	})
	t.Logf("the demo hears it after %s", time.Since(began).Round(time.Millisecond))
	const pcmu = 8000
	hubtest.Eventually(t, "the camera hears the voice", func() bool {
		pcm := hubtest.Heard(t, l.heard)
		if len(pcm) < pcmu {
			return false
		}
		hz, part := hubtest.Pitch(pcm[len(pcm)-pcmu:], pcmu)
		return math.Abs(hz-voice) <= 20 && part > 0.8
	})
	t.Logf("the camera hears it after %s", time.Since(began).Round(time.Millisecond))
	gate.Hush()
	porch.Hush()
	hubtest.Eventually(t, "the demo's line is free again", func() bool {
		_, talking := l.tone(t, "gate")
		return !talking
	})
}
