package restream

import (
	"context"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// slowDesk is a desk at a door that takes its time.
type slowDesk struct {
	desk
	asked   chan struct{} // without buffer: the test takes it
	listens chan struct{} // closed when the door listens
	given   chan error    // size 1: why the door is not asked any more
}

func (d *slowDesk) Open(ctx context.Context, camera, name, key string, track av.Track) (func(*av.Unit) error, func(string), error) {
	d.asked <- struct{}{}
	select {
	case <-d.listens:
		return d.desk.Open(ctx, camera, name, key, track)
	case <-ctx.Done():
		d.given <- ctx.Err()
		return nil, nil, ctx.Err()
	}
}

// speaks sets a back channel up and says n packets of 20 ms.
func speaks(t *testing.T, p *peer, n int) {
	t.Helper()
	status(t, p.login("front/main", backChannel), base.StatusOK, "describe")
	status(t, p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=2", "Transport: RTP/AVP/TCP;interleaved=4-5", backChannel), base.StatusOK, "setup")
	status(t, p.ask("PLAY", "rtsp://"+p.host+"/front/main", backChannel), base.StatusOK, "play")
	for i := range n {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 160), SSRC: 7}, Payload: make([]byte, 160)}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.nc.Write(append([]byte{'$', 4, 0, byte(len(b))}, b...)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestASlowDoorHoldsNobodyUp: while a door is asked, the reader's requests are answered and
// the server looks after all; what was said last meanwhile is not lost.
func TestASlowDoorHoldsNobodyUp(t *testing.T) {
	d := &slowDesk{asked: make(chan struct{}), listens: make(chan struct{}), given: make(chan error, 1)}
	h, _ := still(t, func(o *Options) { o.Talk = d })
	p := dial(t, h)
	speaks(t, p, heldSpeech+5)
	<-d.asked
	status(t, p.ask("OPTIONS", "*"), base.StatusOK, "while the door is asked")
	if st := h.Stats().Readers; len(st) != 1 || st[0].Talks {
		t.Errorf("%+v", st)
	}
	h.lookAfter(t.Context())
	close(d.listens)
	await(t, "speech", func() bool { n, by, _ := d.said(); return n == heldSpeech && by == "test" })
	d.mu.Lock()
	defer d.mu.Unlock()
	if first, last := d.heard[0].PTS, d.heard[heldSpeech-1].PTS; first != 5*160 || last != (heldSpeech+4)*160 {
		t.Errorf("from %d to %d", first, last)
	}
}

// TestWhoGoesAsksNoDoor: a reader that goes gives the door up at once.
func TestWhoGoesAsksNoDoor(t *testing.T) {
	d := &slowDesk{asked: make(chan struct{}), listens: make(chan struct{}), given: make(chan error, 1)}
	h, _ := still(t, func(o *Options) { o.Talk = d })
	p := dial(t, h)
	speaks(t, p, 1)
	<-d.asked
	_ = p.nc.Close()
	if err := <-d.given; err == nil {
		t.Error("the door is asked on")
	}
	await(t, "no reader", func() bool { return len(h.Stats().Readers) == 0 })
}
