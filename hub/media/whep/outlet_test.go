package whep

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// wire is where an outlet writes in a test.
type wire struct {
	packets []rtp.Packet
	at      []time.Time
	slow    func() // called at each packet
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.slow != nil {
		w.slow()
	}
	w.at = append(w.at, time.Now())
	w.packets = append(w.packets, rtp.Packet{Header: *h, Payload: payload})
	return len(payload), nil
}
func (w *wire) Write([]byte) (int, error) { panic("not used") }

// bound is what pion tells an outlet.
type bound struct {
	webrtc.TrackLocalContext
	w *wire
}

func (b bound) CodecParameters() []webrtc.RTPCodecParameters {
	return []webrtc.RTPCodecParameters{{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP8"}, PayloadType: 1},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/h264"}, PayloadType: 2}}
}
func (b bound) SSRC() webrtc.SSRC                    { return 7 }
func (b bound) WriteStream() webrtc.TrackLocalWriter { return b.w }
func (b bound) RTCPReader() interceptor.RTCPReader   { return nil }

func newWire(t *testing.T) (*outlet, *wire) {
	t.Helper()
	o := newOutlet(webrtc.RTPCodecTypeVideo, webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}}, group)
	w := &wire{}
	if p, err := o.Bind(bound{w: w}); err != nil || p.PayloadType != 2 {
		t.Fatal(p, err)
	}
	return o, w
}

// TestKept: packets of the last two seconds can be had again, as they were, and no more
// than so many are kept, over the turn of the numbers.
func TestKept(t *testing.T) {
	o, w := newWire(t)
	now := time.Unix(100, 0)
	for i := range 70000 {
		now = now.Add(time.Second / 1000)
		if err := o.put([]byte{byte(i)}, uint32(i), i%3 == 0, now); err != nil {
			t.Fatal(err)
		}
	}
	if o.keptN != 2001 || len(o.kept) != 2048 {
		t.Errorf("%d of %d kept", o.keptN, len(o.kept))
	}
	last := w.packets[len(w.packets)-1]
	old := w.packets[len(w.packets)-2001]
	for _, p := range []rtp.Packet{last, old} {
		n := len(w.packets)
		if o.repeat(p.SequenceNumber, againAfter, now) == 0 {
			t.Fatalf("%d is not there", p.SequenceNumber)
		}
		q := w.packets[n]
		if q.SequenceNumber != p.SequenceNumber || q.Timestamp != p.Timestamp || q.Marker != p.Marker || q.Payload[0] != p.Payload[0] || q.SSRC != 7 {
			t.Errorf("%v, was %v", q, p)
		}
		if o.repeat(p.SequenceNumber, againAfter, now.Add(againAfter/2)) != 0 {
			t.Error("repeated at once")
		}
		if o.repeat(p.SequenceNumber, againAfter, now.Add(againAfter)) == 0 {
			t.Error("not repeated again")
		}
	}
	for _, seq := range []uint16{old.SequenceNumber - 1, last.SequenceNumber + 1, last.SequenceNumber + 30000} {
		if o.repeat(seq, againAfter, now.Add(time.Second)) != 0 {
			t.Errorf("%d came from nowhere", seq)
		}
	}
	for i := range 3 * keepMost {
		_ = o.put([]byte{1}, uint32(i), false, now)
	}
	if o.keptN != keepMost || len(o.kept) != keepMost {
		t.Errorf("%d of %d kept", o.keptN, len(o.kept))
	}
	if r := o.senderReport(now, time.Second); r.SSRC != 7 || r.RTPTime != o.base+90000 || r.PacketCount != 70000+3*keepMost {
		t.Errorf("%+v", r)
	}
	_ = o.Unbind(nil)
	if err := o.put([]byte{1}, 1, false, now); err != nil || o.repeat(last.SequenceNumber, againAfter, now) != 0 || o.senderReport(now, 0) != nil {
		t.Error("something was sent after the end", err)
	}
}

// TestPastTimes: pictures of the past get times right before the newest one's, which go on
// rising when the past is sent again.
func TestPastTimes(t *testing.T) {
	o, _ := newWire(t)
	now := 4 * time.Second
	var last uint32
	for round := range 3 {
		c := catchUp{o: o, on: true, left: 100}
		for i := range 100 {
			ts := c.stamp(time.Duration(i)*40*time.Millisecond, now)
			if (round > 0 || i > 0) && int32(ts-last) <= 0 {
				t.Fatalf("round %d, picture %d: %d after %d", round, i, ts, last)
			}
			last = ts
			_ = o.put([]byte{1}, ts, true, time.Unix(1, 0))
		}
		if round == 0 && last != o.at(now) {
			t.Error("the newest one has another time")
		}
	}
	c := catchUp{o: o}
	if ts := c.stamp(now+40*time.Millisecond, 0); int32(ts-last) <= 0 || ts != o.at(now+40*time.Millisecond) {
		t.Errorf("what follows is at %d after %d", ts, last)
	}
}

// TestNTP: RFC 3550 section 4.
func TestNTP(t *testing.T) {
	if got := ntp(time.Date(1970, 1, 1, 0, 0, 0, 5e8, time.UTC)); got != 2208988800<<32|1<<31 {
		t.Errorf("%x", got)
	}
}

// TestReorder puts the page's packets in order.
func TestReorder(t *testing.T) {
	now := time.Unix(1, 0)
	for _, c := range []struct {
		name string
		seqs []uint16
		step time.Duration
		want []uint16
	}{
		{"in order", []uint16{1, 2, 3}, 20 * time.Millisecond, []uint16{1, 2, 3}},
		{"swapped", []uint16{1, 3, 2, 4}, 20 * time.Millisecond, []uint16{1, 2, 3, 4}},
		{"twice", []uint16{1, 1, 2, 2, 3, 2}, 0, []uint16{1, 2, 3}},
		{"waits behind a gap, twice", []uint16{1, 4, 4, 3, 2}, 0, []uint16{1, 2, 3, 4}},
		{"lost", []uint16{1, 3, 4, 5, 6, 7}, 20 * time.Millisecond, []uint16{1, 3, 4, 5, 6, 7}},
		{"too late", []uint16{1, 3, 4, 5, 6, 2}, 30 * time.Millisecond, []uint16{1, 3, 4, 5, 6}},
		{"over the turn", []uint16{65534, 0, 65535, 1}, 20 * time.Millisecond, []uint16{65534, 65535, 0, 1}},
	} {
		var r reorder
		var got []uint16
		gaps := 0
		for i, s := range c.seqs {
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: s, Timestamp: uint32(s) * 960}, Payload: []byte{byte(s >> 8), byte(s)}}
			for _, u := range r.push(p, now.Add(time.Duration(i)*c.step)) {
				got = append(got, uint16(u.Data[0])<<8|uint16(u.Data[1]))
				if u.Discontinuity {
					gaps++
				}
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", c.name, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v", c.name, got)
			}
		}
		if lost := c.name == "lost" || c.name == "too late"; lost != (gaps == 1) {
			t.Errorf("%s: %d gaps", c.name, gaps)
		}
	}
	var r reorder
	n := 0
	for i := range 100 { // never more wait than may
		n += len(r.push(&rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(2 * i)}, Payload: []byte{1}}, now))
		if len(r.wait) > reorderMost {
			t.Fatal("too many wait")
		}
	}
	if n < 80 || r.push(&rtp.Packet{}, now) != nil {
		t.Error(n)
	}
}
