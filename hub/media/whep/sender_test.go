package whep

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
	"github.com/porchlight-hub/porchlight/hub/media/whep/pack"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// bare is a session without a connection, of the camera door.
func bare(t *testing.T, core *media.Core) (*session, *wire) {
	t.Helper()
	x := &session{srv: New(Options{Core: core}), camera: "door", stream: "main",
		choice: offer.Choice{VideoCodec: av.H264, Want: av.Rendition{Audio: av.AudioRendition{None: true}}}}
	x.ctx, x.cancel = context.WithCancelCause(t.Context())
	x.pc = &webrtc.PeerConnection{}
	var w *wire
	x.video, w = newWire(t)
	return x, w
}

// TestBehind: a viewer that cannot keep up is not sent ever older pictures: it goes on at a
// key frame, which is counted, and the writer does not wait for it.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		d := newDoor(t, core, "door", "main", track264(t))
		d.show(1)
		x, w := bare(t, core)
		var slow atomic.Bool
		slow.Store(true)
		w.slow = func() {
			if slow.Load() {
				time.Sleep(50 * time.Millisecond) // a picture has three packets
			}
		}
		r, err := x.open()
		if err != nil {
			t.Fatal(err)
		}
		x.cursor(r)
		done := make(chan error)
		go func() { done <- (&sender{x: x, behind: true, report: time.Now().Add(time.Hour)}).play() }()
		for range 250 {
			time.Sleep(40 * time.Millisecond)
			d.show(1)
		}
		slow.Store(false)
		for range 50 {
			time.Sleep(40 * time.Millisecond)
			d.show(1)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := r.Stats().SkippedGOPs; n == 0 {
			t.Error("no jump was counted")
		}
		last := w.packets[len(w.packets)-1]
		if last.Timestamp != x.video.at(300*40*time.Millisecond) {
			t.Errorf("the last picture is not the newest: %d", last.Timestamp)
		}
		for i := range w.packets[1:] {
			if int32(w.packets[i+1].Timestamp-w.packets[i].Timestamp) < 0 || w.packets[i+1].SequenceNumber != w.packets[i].SequenceNumber+1 {
				t.Fatalf("packet %d: %v after %v", i+1, w.packets[i+1].Header, w.packets[i].Header)
			}
		}
		x.end(errors.New("enough"))
		if err := <-done; err == nil || err.Error() != "enough" {
			t.Error(err)
		}
		r.Close()
	})
}

// TestPaced: a key frame leaves in chunks a millisecond apart, and over half a frame's time
// when the viewer has reported loss.
func TestPaced(t *testing.T) {
	for _, loss := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x, w := bare(t, media.New(media.Limits{}))
			if loss {
				x.stat.lostAt.Store(time.Now().UnixNano())
			}
			tr := track264(t)
			s := &sender{x: x}
			s.picture(tr, &av.Unit{Key: true, Data: av.JoinNALs([][]byte{nal(av.H264, 1, 150000, true)})}, 1, false)
			took := w.at[len(w.at)-1].Sub(w.at[0])
			if want := 4 * gap; !loss && took != want {
				t.Errorf("it took %v, want %v", took, want)
			}
			if half := 20 * time.Millisecond; loss && (took < half/2 || took > half) {
				t.Errorf("with loss it took %v of %v", took, half)
			}
			// Small ones do not wait, and many of the past at once do.
			time.Sleep(time.Second)
			begin, n := time.Now(), len(w.at)
			for range 20 {
				s.picture(tr, &av.Unit{Data: av.JoinNALs([][]byte{nal(av.H264, 1, 10000, false)})}, 2, true)
			}
			each := pastGap
			if loss {
				each = lossGap
			}
			if w.at[n] != begin || time.Since(begin) < 4*each || time.Since(begin) > 10*each {
				t.Errorf("20 pictures took %v", time.Since(begin))
			}
			x.end(nil)
		})
	}
}

// TestHostileUnits: what no camera should send costs nobody but itself.
func TestHostileUnits(t *testing.T) {
	for _, c := range []struct {
		codec av.Codec
		size  int
		want  int // packets
	}{
		{av.Opus, 0, 0}, {av.Opus, 3, 1}, {av.Opus, maxSound, 1}, {av.Opus, maxSound + 1, 0},
		{av.PCMU, 0, 0}, {av.PCMU, 160, 1}, {av.PCMU, 2*pack.Payload + 1, 3},
	} {
		x, _ := bare(t, media.New(media.Limits{}))
		x.sound = newOutlet(webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 8000}}, group)
		w := &wire{}
		if _, err := x.sound.Bind(bound{w: w}); err != nil {
			t.Fatal(err)
		}
		s := &sender{x: x, tracks: map[uint8]av.Track{2: {ID: 2, Kind: av.Sound, Codec: c.codec, ClockRate: 8000}, 1: track264(t)}}
		s.send([]*av.Unit{{Track: 2, Data: make([]byte, c.size)}})
		s.send([]*av.Unit{{Track: 1}, {Track: 1, Key: true, Data: []byte{0xff, 0xff, 0xff, 0xff}}, {Track: 9, Data: []byte{1}}})
		if len(w.packets) != c.want {
			t.Errorf("%s of %d bytes: %d packets", c.codec, c.size, len(w.packets))
		}
		if n := len(w.packets); n == 3 && (w.packets[2].Timestamp != w.packets[0].Timestamp+2*pack.Payload || len(w.packets[2].Payload) != 1) {
			t.Errorf("%v", w.packets[2])
		}
	}
}

// TestSTUN: a server that does not answer delays an answer by half a second and no more.
func TestSTUN(t *testing.T) {
	h := newHouse(t, Options{Settings: Settings{STUN: []string{"stun:127.0.0.1:9"}}})
	newDoor(t, h.core, "door", "main", track264(t)).show(3)
	v := h.watch(t, "door", viewing{})
	await(t, "the picture", func() bool { return len(v.seen()) == 3 })
}

// TestNothingStays: when viewers have gone, nothing of them runs on.
func TestNothingStays(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t), av.OpusTrack(2, 1)).show(3)
	v := h.watch(t, "door", viewing{talk: true})
	await(t, "the picture", func() bool { return len(v.seen()) == 3 })
	h.endAll("the test is over")
	_ = v.pc.Close()
	await(t, "the end", func() bool { return len(h.Stats()) == 0 })
	before := runtime.NumGoroutine()
	for range 5 {
		v := h.watch(t, "door", viewing{talk: true})
		await(t, "the picture", func() bool { return len(v.seen()) == 3 })
		h.endAll("the test is over")
		_ = v.pc.Close()
	}
	await(t, "the end of what ran for them", func() bool { return runtime.NumGoroutine() <= before })
}
