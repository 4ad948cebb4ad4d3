package camera

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestTwoViewersAndAThird(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	one, two, three := newPhone(t, 1, nil), newPhone(t, 2, nil), newPhone(t, 3, nil)
	one.watch(c.streams[0], full())
	two.watch(c.streams[1], wanted{640, 360, 30, 300, true})
	for _, s := range c.streams {
		if statusOf(s) != message.InUse {
			t.Errorf("stream %d is %d while somebody watches", s.number, statusOf(s))
		}
		if status := three.write(s.service.C(characteristic.TypeSetupEndpoints), three.endpoints()); status != 0 {
			t.Errorf("the third's endpoints: %d", status)
		}
		if a := three.prepared(s); a.status != message.Busy || !bytes.Equal(a.session, three.session[:]) {
			t.Errorf("the third is told %+v", a)
		}
		if status := three.command(s, message.Start, full()); status != statusInvalid {
			t.Errorf("the third starts what it has not prepared: %d", status)
		}
	}
	if a := one.prepared(c.streams[0]); a.status != message.Prepared {
		t.Errorf("another's refusal is read by the first: %+v", a)
	}
	w := c.Watching()
	if len(w) != 2 || w[0].Controller != "phone 1" || w[0].Stream != "main" || w[0].How != "copy" || w[1].Stream != "sub" {
		t.Errorf("watching %+v", w)
	}
	await(t, "what is watched is known", func() bool { w := c.Watching(); return w[0].Width == 1920 && w[0].Packets > 0 && w[1].Width == 640 })
}

// TestEveryEndLeavesNothing: packets, ports, goroutines, readers at the hub.
func TestEveryEndLeavesNothing(t *testing.T) {
	ends := map[string]func(t *testing.T, c *Camera, p *phone){
		"end": func(t *testing.T, c *Camera, p *phone) {
			for range 2 { // what is said twice is no error
				if status := p.command(c.streams[0], message.End, full()); status != 0 {
					t.Errorf("end: %d", status)
				}
			}
		},
		"connection": func(_ *testing.T, _ *Camera, p *phone) { p.hang() },
		"privacy": func(t *testing.T, c *Camera, p *phone) {
			if status := p.write(c.active.c, 0); status != 0 {
				t.Errorf("21B: %d", status)
			}
			if got := p.prepared(c.streams[0]); got.status != message.Failed {
				t.Errorf("118 while off: %+v", got)
			}
		},
		"stream off": func(t *testing.T, c *Camera, p *phone) {
			if status := p.write(c.streams[0].active.c, 0); status != 0 {
				t.Errorf("B0: %d", status)
			}
		},
		"closed": func(_ *testing.T, c *Camera, _ *phone) { c.Close() },
	}
	for name, end := range ends {
		for _, started := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				h := newHouse(t)
				c := door(t, h, nil)
				p := newPhone(t, 1, nil)
				before := runtime.NumGoroutine()
				var a answer
				if started {
					a = p.watch(c.streams[0], full())
				} else {
					a = p.prepare(c.streams[0])
				}
				if free(a.video) || free(a.audio) {
					t.Error("the ports are not held")
				}
				end(t, c, p)
				await(t, "the service is free", func() bool { return statusOf(c.streams[0]) == message.Available })
				await(t, "the ports are free", func() bool { return free(a.video) && free(a.audio) })
				await(t, "the hub's reader is gone", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.readers == 0 })
				await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
				if len(c.Watching()) != 0 {
					t.Error("somebody watches")
				}
			})
		}
	}
}

func TestManyStreamsOneAfterTheOther(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	before := runtime.NumGoroutine()
	for range 50 {
		p.watch(c.streams[0], full())
		if status := p.command(c.streams[0], message.End, full()); status != 0 {
			t.Fatalf("end: %d", status)
		}
	}
	await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestSessionsOfOthers(t *testing.T) {
	c := door(t, newHouse(t), nil)
	one, two := newPhone(t, 1, nil), newPhone(t, 2, nil)
	two.session = one.session
	one.watch(c.streams[0], full())
	for _, command := range []message.Command{message.End, message.Suspend, message.Resume, message.Reconfigure, message.Start} {
		if status := two.command(c.streams[0], command, full()); status != statusInvalid {
			t.Errorf("another's %s: %d", command, status)
		}
	}
	if got := two.read(c.streams[0].service.C(characteristic.TypeSelectedRTPStreamConfiguration)); got != message.Idle() {
		t.Errorf("another reads what was selected: %v", got)
	}
	if a := two.prepared(c.streams[0]); a.status != message.Failed || a.video != 0 {
		t.Errorf("another reads ports and keys: %+v", a)
	}
	one.session[3]++
	if status := one.command(c.streams[0], message.End, full()); status != statusInvalid {
		t.Errorf("end of a session that there is not: %d", status)
	}
	one.sees()
}

func TestOrderOfCommands(t *testing.T) {
	c := door(t, newHouse(t), nil)
	p := newPhone(t, 1, nil)
	s := c.streams[0]
	for _, command := range []message.Command{message.Start, message.Suspend, message.Resume, message.Reconfigure, message.End} {
		if status := p.command(s, command, full()); status != statusInvalid {
			t.Errorf("%s without endpoints: %d", command, status)
		}
	}
	first := p.prepare(s)
	for _, command := range []message.Command{message.Suspend, message.Resume, message.Reconfigure} {
		if status := p.command(s, command, full()); status != statusNotAllowed {
			t.Errorf("%s before the start: %d", command, status)
		}
	}
	second := p.prepare(s) // it thinks again
	if !free(first.video) || first.video == second.video {
		t.Error("what was prepared first still stands")
	}
	if status := p.command(s, message.Start, full()); status != 0 {
		t.Fatalf("start: %d", status)
	}
	p.sees()
	if status := p.command(s, message.Start, full()); status != statusNotAllowed {
		t.Errorf("a second start: %d", status)
	}
	if status := p.write(s.service.C(characteristic.TypeSetupEndpoints), p.endpoints()); status != 0 || p.prepared(s).status != message.Busy {
		t.Errorf("endpoints beside a stream that runs: %d, %+v", status, p.prepared(s))
	}
	for _, command := range []message.Command{message.Suspend, message.Suspend, message.Resume, message.Resume} {
		if status := p.command(s, command, full()); status != 0 {
			t.Errorf("%s: %d", command, status)
		}
	}
	p.sees()
	if got := p.read(s.service.C(characteristic.TypeSelectedRTPStreamConfiguration)); got != p.selects(message.Resume, full()) {
		t.Errorf("117 reads %v", got)
	}
}

func TestReconfigureChangesTheStream(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	p.watch(c.streams[0], full())
	if status := p.command(c.streams[0], message.Reconfigure, wanted{640, 360, 30, 200, true}); status != 0 {
		t.Fatalf("reconfigure: %d", status)
	}
	await(t, "the other stream is opened", func() bool { return len(h.streams()) == 2 && h.streams()[1] == "sub" })
	await(t, "it is shown", func() bool { w := c.Watching(); return len(w) == 1 && w[0].Stream == "sub" && w[0].Width == 640 })
	for _, w := range []wanted{{640, 360, 30, 200, true}, {700, 400, 25, 250, true}, {640, 360, 25, 160, true}} {
		if status := p.command(c.streams[0], message.Reconfigure, w); status != 0 {
			t.Fatalf("reconfigure to %+v: %d", w, status)
		}
	}
	if got := len(h.streams()); got != 2 {
		t.Errorf("what fits was opened again: %d", got)
	}
}

func TestConvertedIsTold(t *testing.T) {
	h := newHouse(t)
	h.media.Streams[0].Tracks[0].Codec = av.H265
	h.media.Streams[1].Tracks[0].Reordered = true
	h.how = "converted: the picture is H.265"
	c := door(t, h, nil)
	newPhone(t, 1, nil).watch(c.streams[0], full())
	w := c.Watching()
	if w[0].Stream != "main" || w[0].How != h.how {
		t.Errorf("watching %+v", w)
	}
	ch := c.LastChoice()
	if len(ch) != 1 || len(ch[0].Why) != 2 || !strings.HasPrefix(ch[0].Why[1], "sub: the picture has B-frames") || ch[0].How != h.how {
		t.Errorf("choice %+v", ch)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.opened[0].Rendition.Video; v.MaxWidth != 1920 || v.Level != 40 || v.Profile != "high" || !v.InOrder || v.MaxKbps != 2000 || v.Codec != av.H264 {
		t.Errorf("asked %+v", v)
	}
	if a := h.opened[0].Rendition.Audio; a.Codec != av.Opus || a.SampleRate != 24000 || a.Kbps != 24 {
		t.Errorf("asked %+v", a)
	}
}

// TestSubThatFails: the main one takes its place.
func TestSubThatFails(t *testing.T) {
	h := newHouse(t)
	h.openErr = map[string]error{"sub": errors.New("no such stream")}
	c := door(t, h, nil)
	newPhone(t, 1, nil).watch(c.streams[0], wanted{640, 360, 30, 300, false})
	if got := strings.Join(h.streams(), " "); got != "sub main" {
		t.Errorf("opened %s", got)
	}
}

func TestSourceThatDoesNotCome(t *testing.T) {
	h := newHouse(t)
	h.openErr = map[string]error{"main": errors.New("the camera is away"), "sub": errors.New("so is this")}
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	p.prepare(c.streams[0])
	if status := p.command(c.streams[0], message.Start, full()); status != 0 {
		t.Fatalf("start: %d", status)
	}
	await(t, "it is given up", func() bool { return statusOf(c.streams[0]) == message.Available })
	if ch := c.LastChoice(); len(ch) == 0 || ch[0].Problem == "" {
		t.Errorf("choice %+v", ch)
	}
}

func TestCameraAway(t *testing.T) {
	c := door(t, newHouse(t), nil)
	p := newPhone(t, 1, nil)
	c.SetOnline(false)
	s := c.streams[0]
	if statusOf(s) != message.Unavailable || c.alive.Value() {
		t.Errorf("120 is %d, active %v", statusOf(s), c.alive.Value())
	}
	if status := p.write(s.service.C(characteristic.TypeSetupEndpoints), p.endpoints()); status != 0 || p.prepared(s).status != message.Failed {
		t.Errorf("endpoints: %d, %+v", status, p.prepared(s))
	}
	c.SetOnline(true)
	if statusOf(s) != message.Available {
		t.Errorf("120 is %d", statusOf(s))
	}
	p.watch(s, full())
}

// TestAnswersGoWithTheirConnections: nothing grows with those who came and went.
func TestAnswersGoWithTheirConnections(t *testing.T) {
	c := door(t, newHouse(t), nil)
	newPhone(t, 1, nil).prepare(c.streams[0])
	for i := range uint64(100) {
		p := newPhone(t, i+2, nil)
		if p.write(c.streams[0].service.C(characteristic.TypeSetupEndpoints), p.endpoints()) != 0 || p.prepared(c.streams[0]).status != message.Busy {
			t.Fatal("not busy")
		}
		p.hang()
		_ = p.video.Close()
		_ = p.audio.Close()
	}
	s := c.streams[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.answers); n > 2 {
		t.Errorf("%d answers are kept", n)
	}
}

func TestWhatTheSessionAsks(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil)
	p.watch(c.streams[0], full())
	v := c.streams[0].view
	if err := v.keyFrame(t.Context()); err != nil || h.keys != 1 {
		t.Errorf("a key frame: %v, asked %d times", err, h.keys)
	}
	v.how = "converted: the sound is AAC and Opus was asked"
	if err := v.keyFrame(t.Context()); err != nil || h.keys != 2 {
		t.Errorf("a key frame of a picture whose sound is converted: %v, asked %d times", err, h.keys)
	}
	h.keys, v.how = 1, "converted: the picture has B-frames; the sound is AAC and Opus was asked"
	if err := v.keyFrame(t.Context()); !errors.Is(err, errConverted) || h.keys != 1 {
		t.Errorf("a converted picture's key frame: %v, asked %d times", err, h.keys)
	}
	speech, err := v.talk(t.Context(), av.OpusTrack(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := speech.Write(t.Context(), &av.Unit{Track: 1, Data: []byte{0xfc}}); err != nil {
		t.Error(err)
	}
	await(t, "the door hears it", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.heard == 1 })
	if err := speech.Close(); err != nil || h.talks[0] != talker {
		t.Errorf("%v, talkers %v", err, h.talks)
	}
	if mic, speaker := v.muted(); mic || speaker {
		t.Error("muted at first")
	}
	p.write(c.speaker.c, true)
	if mic, speaker := v.muted(); mic || !speaker {
		t.Error("the speaker's switch mutes something else")
	}
	h.talkErr = sdk.ErrBusy
	if speech, err := v.talk(t.Context(), av.OpusTrack(1, 1)); speech != nil || !errors.Is(err, sdk.ErrBusy) {
		t.Errorf("somebody talks already: %v %v", speech, err)
	}
	h.talkErr, h.takes = nil, av.PCMU
	if speech, err := v.talk(t.Context(), av.OpusTrack(1, 1)); speech != nil || err == nil {
		t.Errorf("a door that takes something else: %v %v", speech, err)
	}
}

// TestAddresses: ours is the connection's, or of the way to where the stream is to go.
func TestAddresses(t *testing.T) {
	lan := netip.MustParseAddrPort("192.0.2.7:5000")
	p := server.NewPeer(server.PeerInfo{Local: lan})
	mapped := server.NewPeer(server.PeerInfo{Local: netip.MustParseAddrPort("[::ffff:192.0.2.7]:5000")})
	for _, peer := range []*server.Peer{p, mapped} {
		if a, err := ourAddress(peer, netip.MustParseAddr("192.0.2.9")); err != nil || a != lan.Addr() {
			t.Errorf("%v %v", a, err)
		}
	}
	if a, err := ourAddress(p, netip.MustParseAddr("127.0.0.1")); err == nil {
		t.Errorf("packets to ourselves, from %v", a)
	}
	six := server.NewPeer(server.PeerInfo{Local: netip.MustParseAddrPort("[::1]:5000")})
	if a, err := ourAddress(six, netip.MustParseAddr("127.0.0.1")); err != nil || a.String() != "127.0.0.1" {
		t.Errorf("%v %v", a, err)
	}
	if a, err := ourAddress(p, netip.MustParseAddr("fe80::1%nowhere0")); err == nil {
		t.Errorf("a link that there is not, from %v", a)
	}
}

// TestAtOnce: all of it from many sides, for the race detector.
func TestAtOnce(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	var w sync.WaitGroup
	for i := range uint64(4) {
		p := newPhone(t, i+1, nil)
		w.Go(func() {
			for n := range 10 {
				s := c.streams[n%2]
				p.write(s.service.C(characteristic.TypeSetupEndpoints), p.endpoints())
				p.prepared(s)
				for _, command := range []message.Command{message.Start, message.Suspend, message.Resume, message.Reconfigure, message.End} {
					p.command(s, command, full())
				}
			}
		})
	}
	w.Go(func() {
		p := newPhone(t, 9, nil)
		for n := range 20 {
			p.write(c.active.c, n%2)
			c.SetOnline(n%3 != 0)
			c.SetMotion(n%2 == 0)
			c.Watching()
			c.LastChoice()
		}
		p.write(c.active.c, 1)
		c.SetOnline(true)
	})
	w.Wait()
	c.Close()
	for _, s := range c.streams {
		if s.view != nil {
			t.Error("a viewer is left")
		}
	}
}

// TestHostileWrites: each is refused, and the next one who comes is served.
func TestHostileWrites(t *testing.T) {
	c := door(t, newHouse(t), nil)
	p := newPhone(t, 1, nil)
	s := c.streams[0]
	good, _ := base64.StdEncoding.DecodeString(p.endpoints())
	bad := []any{nil, 3, true, []byte("x"), "", "%%%", "AAAA", strings.Repeat("A", 1<<20), p.endpoints() + "=", base64.StdEncoding.EncodeToString(good[:len(good)-5])}
	for _, typ := range []string{characteristic.TypeSetupEndpoints, characteristic.TypeSelectedRTPStreamConfiguration} {
		for _, v := range bad {
			if status := p.write(s.service.C(typ), v); status != statusInvalid {
				t.Errorf("%s %.20v: %d", typ, v, status)
			}
		}
	}
	if _, status := s.service.C(characteristic.TypeSetupEndpoints).SetValueRequestFunc(p.endpoints(), nil); status != statusInvalid {
		t.Errorf("a write of nobody: %d", status)
	}
	for cut := range good {
		if status := p.write(s.service.C(characteristic.TypeSetupEndpoints), base64.StdEncoding.EncodeToString(good[:cut])); status != statusInvalid {
			t.Errorf("the first %d bytes: %d", cut, status)
		}
	}
	p.prepare(s)
	for _, w := range []wanted{{0, 0, 30, 300, false}, {65535, 65535, 30, 300, false}, {1920, 1080, 0, 300, false}, {1920, 1080, 30, 0, false}} {
		if status := p.command(s, message.Start, w); status != statusInvalid {
			t.Errorf("%+v: %d", w, status)
		}
	}
	if status := p.command(s, message.Start, full()); status != 0 {
		t.Errorf("start: %d", status)
	}
	p.sees()
}

// FuzzWrites: no message of a controller does more than be refused.
func FuzzWrites(f *testing.F) {
	h := newHouse(f)
	c := door(f, h, nil)
	p := newPhone(f, 1, nil)
	for _, text := range []string{p.endpoints(), p.selects(message.Start, full()), p.selects(message.End, full()), p.selects(message.Reconfigure, full())} {
		b, _ := base64.StdEncoding.DecodeString(text)
		f.Add(b, b)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, s := range c.streams {
			for _, b := range [][]byte{first, second} {
				text := base64.StdEncoding.EncodeToString(b)
				p.write(s.service.C(characteristic.TypeSetupEndpoints), text)
				p.prepared(s)
				p.write(s.service.C(characteristic.TypeSelectedRTPStreamConfiguration), text)
				p.read(s.service.C(characteristic.TypeSelectedRTPStreamConfiguration))
			}
			s.stop("the next one comes")
		}
	})
}

var _ Hub = (*sdk.Hub)(nil)
