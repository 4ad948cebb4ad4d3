package camera

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
)

// shape is an accessory as "service: characteristic perms, …" lines.
func shape(c *Camera) string {
	var b strings.Builder
	for _, s := range c.Accessory().Ss[1:] {
		b.WriteString(s.Type + ":")
		for _, ch := range s.Cs {
			b.WriteString(" " + ch.Type + "(" + strings.Join(ch.Permissions, " ") + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestServicesOfADoorbell(t *testing.T) {
	c := door(t, newHouse(t), func(o *Options) { o.Long = true })
	stream := "110: 114(pr) 115(pr) 116(pr) 117(pr pw) 118(pr pw) 120(pr ev) B0(pr ev pw)\n"
	want := "A2: 37(pr ev)\n121: 73(pr ev)\n" + stream + stream + "112: 11A(pr ev pw)\n113: 11A(pr ev pw)\n85: 22(pr ev) 75(pr ev)\n" +
		"21A: 21B(pr ev pw) 223(pr ev pw) 225(pr ev pw) 21D(pr ev pw tw) 11B(pr ev pw) 21C(pr ev) 227(pr ev)\n"
	if got := shape(c); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	bell := c.Bell()
	if bell == nil || !slices.Equal(bell.ValidVals, []int{0, 2}) || c.Category() != 18 {
		t.Errorf("bell %+v, category %d", bell, c.Category())
	}
	if !c.Accessory().Ss[2].Primary {
		t.Error("the bell is not what the accessory is for")
	}
	if b, err := json.Marshal(c.Accessory()); err != nil || !strings.Contains(string(b), `"Front door"`) {
		t.Errorf("%s %v", b, err)
	}
}

func TestServicesOfAPlainCamera(t *testing.T) {
	c := door(t, newHouse(t), func(o *Options) {
		*o = Options{Camera: o.Camera, Hub: o.Hub, Keep: o.Keep}
	})
	got := shape(c)
	for _, without := range []string{"121:", "113:", "85:", "21D", "11B"} {
		if strings.Contains(got, without) {
			t.Errorf("has %s:\n%s", without, got)
		}
	}
	if c.Bell() != nil || c.Category() != 17 || c.Accessory().Name() != "porch" {
		t.Errorf("bell %v, category %d, name %s", c.Bell(), c.Category(), c.Accessory().Name())
	}
	c.SetMotion(true) // nobody hears it
	c.SetOnline(false)
	c.SetMode(modeIndicator, "on")
	c.Pressed(t.Context())
}

func TestWithoutWhatIsNeeded(t *testing.T) {
	for _, o := range []Options{{}, {Camera: "porch"}, {Camera: "porch", Hub: newHouse(t)}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v made a camera", o)
		}
	}
}

// TestDamagedSettings: a camera whose privacy is not known does not come up as open.
func TestDamagedSettings(t *testing.T) {
	d := &drawer{values: map[string][]byte{"operating/active": []byte("{")}}
	if _, err := New(Options{Camera: "porch", Hub: newHouse(t), Keep: d}); err == nil {
		t.Error("a damaged privacy switch was taken for on")
	}
}

func TestSettingsArePersisted(t *testing.T) {
	h, d := newHouse(t), &drawer{}
	c := door(t, h, func(o *Options) { o.Keep = d })
	p := newPhone(t, 1, nil)
	all := func(c *Camera) []*setting {
		return []*setting{c.active, c.event, c.regular, c.streams[0].active, c.streams[1].active, c.mic, c.speaker}
	}
	var was []bool
	for _, s := range all(c) {
		on := !s.on()
		was = append(was, on)
		if status := p.write(s.c, s.words(on)); status != 0 {
			t.Errorf("%s: %d", s.c.Type, status)
		}
		if got := p.read(s.c); got != s.words(on) {
			t.Errorf("%s reads %v", s.c.Type, got)
		}
	}
	again := door(t, h, func(o *Options) { o.Keep = d })
	for i, s := range all(again) {
		if s.on() != was[i] {
			t.Errorf("%s was forgotten", s.c.Type)
		}
		if s.c.Value() != s.words(was[i]) {
			t.Errorf("%s is shown as %v", s.c.Type, s.c.Value())
		}
	}
	if again.Active() {
		t.Error("the privacy switch was forgotten")
	}
}

func TestWhoMaySwitch(t *testing.T) {
	d := &drawer{}
	c := door(t, newHouse(t), func(o *Options) { o.Keep = d })
	guest := newPhone(t, 1, func(i *server.PeerInfo) { i.Admin = false })
	for _, s := range []*setting{c.active, c.event, c.regular, c.streams[0].active} {
		if status := guest.write(s.c, 0); status != statusPrivileges || !s.on() {
			t.Errorf("%s by a guest: %d", s.c.Type, status)
		}
	}
	if status := guest.write(c.mic.c, true); status != 0 || !c.mic.on() {
		t.Errorf("mute by a guest: %d", status)
	}
	guest.watch(c.streams[0], full())
	owner := newPhone(t, 2, nil)
	for _, v := range []any{"1", 2, -1, nil, 0.5, []int{}} {
		if status := owner.write(c.active.c, v); status != statusInvalid {
			t.Errorf("%v: %d", v, status)
		}
	}
	d.err = errors.New("disk full")
	if status := owner.write(c.active.c, 0); status != statusUnreached || !c.Active() {
		t.Errorf("a switch that cannot be kept: %d", status)
	}
}

func TestPrivacyOfPictures(t *testing.T) {
	h := newHouse(t)
	b := jpegOf(t, 64, 48)
	h.snapshot = func(sdk.SnapshotRequest) (sdk.Image, error) { return sdk.Image{JPEG: b, Taken: time.Now()}, nil }
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	ask := func(reason int) int {
		_, status := c.Resource(t.Context(), p.peer, server.Resource{AID: 1, Kind: "image", Width: 640, Height: 360, Reason: reason})
		return status
	}
	for _, step := range []struct {
		s                              *setting
		periodic, event, either, other int
	}{
		{nil, 0, 0, 0, 0},
		{c.event, 0, statusNotAllowed, statusNotAllowed, statusNotAllowed},
		{c.regular, statusNotAllowed, 0, statusNotAllowed, statusNotAllowed},
		{c.active, statusNotAllowed, statusNotAllowed, statusNotAllowed, statusNotAllowed},
		{c.streams[0].active, 0, 0, 0, 0},
	} {
		what := "all on"
		if step.s != nil {
			what = step.s.c.Type
			p.write(step.s.c, 0)
		}
		for reason, want := range map[int]int{0: step.periodic, 1: step.event, -1: step.either, 1000: step.other} {
			if got := ask(reason); got != want {
				t.Errorf("%s off, reason %d: %d, want %d", what, reason, got, want)
			}
		}
		if step.s != nil {
			p.write(step.s.c, 1)
		}
	}
	p.write(c.streams[0].active.c, 0)
	p.write(c.streams[1].active.c, 0)
	if got := ask(0); got != statusNotAllowed {
		t.Errorf("both streams off: %d", got)
	}
	if _, status := c.Resource(t.Context(), p.peer, server.Resource{Kind: "video"}); status != statusMissing {
		t.Errorf("a video: %d", status)
	}
	c.Close()
	if got := ask(0); got != statusUnreached {
		t.Errorf("of a camera that is gone: %d", got)
	}
}

// TestSwitchedOffMeanwhile: a picture that was on its way is not handed over.
func TestSwitchedOffMeanwhile(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	b := jpegOf(t, 64, 48)
	h.snapshot = func(sdk.SnapshotRequest) (sdk.Image, error) {
		p.write(c.active.c, 0)
		return sdk.Image{JPEG: b, Taken: time.Now()}, nil
	}
	if _, status := c.Resource(t.Context(), p.peer, server.Resource{Kind: "image", Width: 640, Height: 360}); status != statusNotAllowed {
		t.Errorf("status %d", status)
	}
}

func TestNoPictureIsAStatus(t *testing.T) {
	c := door(t, newHouse(t), nil)
	if b, status := c.Resource(t.Context(), nil, server.Resource{Kind: "image", Width: 1e9, Height: 1e9}); b != nil || status != statusUnreached {
		t.Errorf("%d bytes, status %d", len(b), status)
	}
}

func TestPrivacyAndMotion(t *testing.T) {
	c := door(t, newHouse(t), nil)
	p := newPhone(t, 1, nil)
	told := func(motion, alive bool) {
		t.Helper()
		if c.motion.Value() != motion || c.alive.Value() != alive {
			t.Errorf("motion %v, active %v; want %v, %v", c.motion.Value(), c.alive.Value(), motion, alive)
		}
	}
	told(false, true)
	c.SetMotion(true)
	told(true, true)
	p.write(c.active.c, 0)
	told(false, false)
	p.write(c.active.c, 1)
	told(true, true)
	c.SetMotion(false)
	told(false, true)
	c.SetMotion(true)
	c.SetOnline(false)
	told(false, false)
	c.SetOnline(true)
	told(false, true) // whatever moved is not known any more
}

func TestModes(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	night, light := c.modes[modeNightVision], c.modes[modeIndicator]
	c.SetMode(modeNightVision, "auto")
	c.SetMode(modeIndicator, "on")
	c.SetMode("privacy", "on") // there is no switch for it
	if night.c.Value() != true || light.c.Value() != true {
		t.Errorf("shown as %v and %v", night.c.Value(), light.c.Value())
	}
	for _, w := range []struct {
		s  *setting
		on bool
	}{{night, true}, {night, false}, {night, true}, {light, false}} {
		if status := p.write(w.s.c, w.on); status != 0 || w.s.on() != w.on {
			t.Errorf("%s: %d", w.s.c.Type, status)
		}
	}
	want := []sdk.Act{sdk.ModeSet{Mode: modeNightVision, Value: "off"}, sdk.ModeSet{Mode: modeNightVision, Value: "auto"}, sdk.ModeSet{Mode: modeIndicator, Value: "off"}}
	if !slices.Equal(h.acts, want) {
		t.Errorf("acts %v", h.acts)
	}
	if status := p.write(light.c, false); status != 0 || len(h.acts) != 4 {
		t.Errorf("off, though it is shown as off: %d, acts %v", status, h.acts)
	}
	h.actErr = sdk.ErrUnavailable
	if status := p.write(light.c, true); status != statusUnreached || light.on() {
		t.Errorf("a device that does not obey: %d", status)
	}
}

// TestPressFetchesAtOnce: Home's question finds the picture.
func TestPressFetchesAtOnce(t *testing.T) {
	b := jpegOf(t, 64, 48)
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := &house{snapshot: func(r sdk.SnapshotRequest) (sdk.Image, error) {
			asked++
			if r.Reason != "event" {
				t.Errorf("asked %+v", r)
			}
			return sdk.Image{JPEG: b, Taken: time.Now()}, nil
		}}
		c := door(t, h, func(o *Options) { o.Media = sdk.MediaDescription{} })
		c.Pressed(t.Context())
		synctest.Wait()
		if asked != 1 {
			t.Fatalf("asked %d times", asked)
		}
		time.Sleep(time.Second)
		if _, status := c.Resource(t.Context(), nil, server.Resource{Kind: "image", Width: 1280, Height: 720, Reason: 1}); status != 0 || asked != 1 {
			t.Errorf("status %d, asked %d times", status, asked)
		}
		c.active.value.Store(false)
		c.Pressed(t.Context())
		synctest.Wait()
		if asked != 1 {
			t.Error("a picture was taken while the owner's switch is off")
		}
		c.Close()
	})
}

// TestOffersOfSizes: the camera's own first.
func TestOffersOfSizes(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	want := message.VideoOffer(message.Sizes(message.Size{Width: 1920, Height: 1080, FPS: 25}, message.Size{Width: 640, Height: 360, FPS: 25}))
	for _, s := range c.streams {
		ch := s.service.C(characteristic.TypeSupportedVideoStreamConfiguration)
		if ch.Value() != want || ch.IsWritable() {
			t.Errorf("114 is %v", ch.Value())
		}
	}
	p := newPhone(t, 1, nil)
	ch := c.streams[0].service.C(characteristic.TypeSupportedVideoStreamConfiguration)
	c.SetMedia(sdk.MediaDescription{})
	if got := p.read(ch); got != want {
		t.Errorf("114 of a camera that nothing is known of now: %v", got)
	}
	h.media.Streams[0].Tracks[0].Width, h.media.Streams[0].Tracks[0].Height = 2560, 1440
	c.SetMedia(h.media)
	if got := p.read(ch); got == want {
		t.Error("the camera's new size is not offered")
	}
	if typ := c.streams[0].service.Type; typ != service.TypeCameraRTPStreamManagement {
		t.Errorf("type %s", typ)
	}
}
