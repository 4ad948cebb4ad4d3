package whep

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// keepFor is how long a packet can be asked for again; a browser that has waited
	// longer asks for a key frame.
	keepFor = 2 * time.Second
	// keepMost packets of one viewer; their payloads are shared. A power of two.
	keepMost = 4096
	// againAfter is how long after it was repeated a packet is not repeated again: browsers
	// ask for it with each report until it has come.
	againAfter = 5 * time.Millisecond
)

// outlet is one track on its way to one viewer: its own numbers around shared payloads.
// It is a webrtc.TrackLocal.
type outlet struct {
	kind  webrtc.RTPCodecType
	mime  string
	group string // tracks of one group are played in step
	clock uint32

	mu      sync.Mutex
	w       webrtc.TrackLocalWriter // nil: not bound
	pt      uint8
	ssrc    uint32
	seq     uint16
	base    uint32 // RTP time of position 0
	last    uint32 // newest RTP time sent
	sent    bool   // last holds
	packets uint32
	octets  uint32
	total   uint64 // bytes of payload
	kept    []keptPacket
	first   uint16 // oldest number kept
	keptN   int
}

type keptPacket struct {
	at      time.Time
	again   time.Time // when it was repeated
	payload []byte
	ts      uint32
	marker  bool
}

func newOutlet(kind webrtc.RTPCodecType, c webrtc.RTPCodecParameters, group string) *outlet {
	o := &outlet{kind: kind, mime: c.MimeType, group: group, clock: c.ClockRate,
		seq: uint16(rand.Uint32()), base: rand.Uint32()}
	if kind == webrtc.RTPCodecTypeVideo {
		o.kept = make([]keptPacket, 256)
	}
	o.first = o.seq
	return o
}

// Bind is called when the codec is agreed.
func (o *outlet) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, p := range c.CodecParameters() {
		if !strings.EqualFold(p.MimeType, o.mime) {
			continue
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.w, o.pt, o.ssrc = c.WriteStream(), uint8(p.PayloadType), uint32(c.SSRC())
		return p, nil
	}
	return webrtc.RTPCodecParameters{}, fmt.Errorf("webrtc: %s was not agreed", o.mime)
}

// Unbind is called when the track has ended.
func (o *outlet) Unbind(webrtc.TrackLocalContext) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = nil
	return nil
}

// ID, RID, StreamID and Kind are what the answer says of the track.
func (o *outlet) ID() string                { return o.kind.String() }
func (o *outlet) RID() string               { return "" }
func (o *outlet) StreamID() string          { return o.group }
func (o *outlet) Kind() webrtc.RTPCodecType { return o.kind }

// at is the RTP time of a position on the stream's line of time.
func (o *outlet) at(pos time.Duration) uint32 { return o.base + uint32(av.Ticks(pos, o.clock)) }

// put sends one payload. It is one goroutine's at a time.
func (o *outlet) put(payload []byte, ts uint32, marker bool, now time.Time) error {
	w, h := o.number(payload, ts, marker, now)
	if w == nil {
		return nil
	}
	_, err := w.WriteRTP(&h, payload)
	return err
}

// number makes the next header. Writing is not done under the lock, since a connection
// by TCP may keep it waiting.
func (o *outlet) number(payload []byte, ts uint32, marker bool, now time.Time) (webrtc.TrackLocalWriter, rtp.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return nil, rtp.Header{}
	}
	seq := o.seq
	o.seq++
	o.keep(seq, keptPacket{at: now, payload: payload, ts: ts, marker: marker})
	o.packets++
	o.octets += uint32(len(payload))
	o.total += uint64(len(payload))
	if !o.sent || int32(ts-o.last) > 0 {
		o.last, o.sent = ts, true
	}
	return o.w, o.header(seq, ts, marker)
}

func (o *outlet) header(seq uint16, ts uint32, marker bool) rtp.Header {
	return rtp.Header{Version: 2, PayloadType: o.pt, SSRC: o.ssrc, SequenceNumber: seq, Timestamp: ts, Marker: marker}
}

// keep remembers a packet of pictures for as long as it may be asked for.
func (o *outlet) keep(seq uint16, p keptPacket) {
	if o.kept == nil {
		return
	}
	for o.keptN > 0 && (o.keptN == keepMost || p.at.Sub(o.slot(o.first).at) > keepFor) {
		*o.slot(o.first) = keptPacket{}
		o.first++
		o.keptN--
	}
	if o.keptN == 0 {
		o.first = seq
	}
	if o.keptN == len(o.kept) {
		old, n := o.kept, len(o.kept)
		o.kept = make([]keptPacket, 2*n)
		for i := range o.keptN {
			s := o.first + uint16(i)
			*o.slot(s) = old[int(s)&(n-1)]
		}
	}
	*o.slot(seq) = p
	o.keptN++
}

func (o *outlet) slot(seq uint16) *keptPacket { return &o.kept[int(seq)&(len(o.kept)-1)] }

// repeat sends packet seq again and returns its size; 0: it is no longer there, or was
// repeated less than patience ago.
func (o *outlet) repeat(seq uint16, patience time.Duration, now time.Time) int {
	o.mu.Lock()
	w := o.w
	if w == nil || int(seq-o.first) >= o.keptN || now.Sub(o.slot(seq).again) < patience {
		o.mu.Unlock()
		return 0
	}
	o.slot(seq).again = now
	p := *o.slot(seq)
	h := o.header(seq, p.ts, p.marker)
	o.mu.Unlock()
	if _, err := w.WriteRTP(&h, p.payload); err != nil {
		return 0
	}
	return len(p.payload)
}

// newest RTP time that was sent.
func (o *outlet) newest() (uint32, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last, o.sent
}
