package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// noteFor is how long the last talk stays in the pictures.
	noteFor = 15 * time.Second
	// silence is the level of nothing, in dB of full scale.
	silence = -96.0
)

// talkMeter listens to what is said at the door, and plays it nowhere.
type talkMeter struct {
	mu      sync.Mutex
	talking bool
	talker  string
	codec   av.Codec
	heard   time.Duration
	sum     float64 // of squares, full scale 1
	samples int
	units   int
	last    time.Time // of the last unit
}

// talkStatus is the answer of the action talk_status.
type talkStatus struct {
	Camera       string   `json:"camera"`
	Talking      bool     `json:"talking"`
	Talker       string   `json:"talker,omitempty"`
	Codec        av.Codec `json:"codec,omitempty"`
	HeardSeconds float64  `json:"heard_seconds"`
	LevelKnown   bool     `json:"level_known"` // false: a codec that cannot be opened here
	LevelDBFS    float64  `json:"level_dbfs"`
	Units        int      `json:"units"`
}

func (m *talkMeter) begin(r sdk.TalkRequest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.talking, m.talker, m.codec = true, r.Talker, r.Track.Codec
	m.heard, m.sum, m.samples, m.units, m.last = 0, 0, 0, 0, time.Now()
}

func (m *talkMeter) hear(t av.Track, data []byte) {
	d, sum, n := measure(t, data)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codec = t.Codec
	m.heard += d
	m.sum += sum
	m.samples += n
	m.units++
	m.last = time.Now()
}

func (m *talkMeter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.talking = false
}

func (m *talkMeter) status(camera string) talkStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return talkStatus{
		Camera: camera, Talking: m.talking, Talker: m.talker, Codec: m.codec, Units: m.units,
		HeardSeconds: math.Round(m.heard.Seconds()*100) / 100, LevelKnown: m.samples > 0, LevelDBFS: level(m.sum, m.samples),
	}
}

// note is the line in the pictures.
func (m *talkMeter) note(now time.Time) string {
	s := m.status("")
	m.mu.Lock()
	last := m.last
	m.mu.Unlock()
	if last.IsZero() || !s.Talking && now.Sub(last) > noteFor {
		return ""
	}
	if !s.LevelKnown {
		return fmt.Sprintf("heard %.1f s, level not known (%s)", s.HeardSeconds, s.Codec)
	}
	return fmt.Sprintf("heard %.1f s, level %.0f dB", s.HeardSeconds, s.LevelDBFS)
}

// level in dB of full scale, to a tenth.
func level(sum float64, n int) float64 {
	if n == 0 || sum == 0 {
		return silence
	}
	return math.Round(max(silence, 10*math.Log10(sum/float64(n)))*10) / 10
}

// measure tells how long a unit sounds and how loud. AAC and Opus are only timed:
// there is no decoder for them here.
func measure(t av.Track, data []byte) (d time.Duration, sum float64, n int) {
	rate := t.SampleRate
	if rate == 0 {
		rate = int(t.ClockRate)
	}
	if rate <= 0 {
		return 0, 0, 0
	}
	channels := max(1, t.Channels)
	add := func(v int16) {
		f := float64(v) / 32768
		sum += f * f
		n++
	}
	switch t.Codec {
	case av.L16: // network order, RFC 3551 4.5.11
		for ; len(data) >= 2; data = data[2:] {
			add(int16(binary.BigEndian.Uint16(data)))
		}
	case av.PCMU:
		for _, b := range data {
			add(ulaw(b))
		}
	case av.PCMA:
		for _, b := range data {
			add(alaw(b))
		}
	case av.AAC:
		return time.Duration(1024) * time.Second / time.Duration(rate), 0, 0
	case av.Opus:
		return opusDuration(data), 0, 0
	}
	return time.Duration(n/channels) * time.Second / time.Duration(rate), sum, n
}

// ulaw opens one byte of G.711 mu-law (ITU-T G.711 table 2a).
func ulaw(b byte) int16 {
	b = ^b
	v := (int(b&15)<<3 + 0x84) << (b >> 4 & 7)
	if b&0x80 != 0 {
		return int16(0x84 - v)
	}
	return int16(v - 0x84)
}

// alaw opens one byte of G.711 A-law (ITU-T G.711 table 1a).
func alaw(b byte) int16 {
	b ^= 0x55
	v := int(b&15)<<4 + 8
	if e := b >> 4 & 7; e > 0 {
		v = (v + 0x100) << (e - 1)
	}
	if b&0x80 == 0 {
		return int16(-v)
	}
	return int16(v)
}

// opusDuration reads a packet's length off its first bytes (RFC 6716 3.1, 3.2).
func opusDuration(p []byte) time.Duration {
	if len(p) == 0 {
		return 0
	}
	var each time.Duration
	switch c := p[0] >> 3; {
	case c < 12: // SILK
		each = []time.Duration{10, 20, 40, 60}[c&3] * time.Millisecond
	case c < 16: // hybrid
		each = []time.Duration{10, 20}[c&1] * time.Millisecond
	default: // CELT
		each = 2500 * time.Microsecond << (c & 3)
	}
	switch p[0] & 3 {
	case 0:
		return each
	case 1, 2:
		return 2 * each
	}
	if len(p) < 2 {
		return 0
	}
	return min(each*time.Duration(p[1]&63), 120*time.Millisecond)
}

// talkEvent tells the beginning or the end.
func talkEvent(camera string, t sdk.Talk) sdk.Event {
	e := sdk.NewEvent(sdk.TypeTalk, camera, t)
	e.Subject = "camera." + camera + ".talk.ended"
	if t.Active {
		e.Subject = "camera." + camera + ".talk.started"
	}
	return e
}

// Talk takes speech for the door and measures it.
func (p *plugin) Talk(ctx context.Context, r sdk.TalkRequest, speech *av.Reader) error {
	c, hub, err := p.camera(ctx, r.Camera)
	if err != nil {
		return err
	}
	c.talk.begin(r)
	if _, err := hub.Publish(ctx, talkEvent(c.id, sdk.Talk{Active: true, Talker: r.Talker})); err != nil && ctx.Err() == nil {
		hub.Log().Warn("talk event not published", "camera", c.id, "error", err.Error())
	}
	err = c.listen(ctx, r, speech)
	c.talk.end()
	s := c.talk.status(c.id)
	hub.Log().Info("talk ended", "camera", c.id, "heard_seconds", s.HeardSeconds, "level_dbfs", s.LevelDBFS)
	ended := sdk.Talk{HeardSeconds: s.HeardSeconds, LevelDBFS: s.LevelDBFS, Talker: r.Talker}
	if _, perr := hub.Publish(ctx, talkEvent(c.id, ended)); perr != nil && ctx.Err() == nil {
		hub.Log().Warn("talk event not published", "camera", c.id, "error", perr.Error())
	}
	return err
}

func (c *camera) listen(ctx context.Context, r sdk.TalkRequest, speech *av.Reader) error {
	for {
		u, err := speech.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("camera %s: talk: %w", c.id, err)
		}
		t, ok := speech.Track(u.Track)
		if !ok {
			t = r.Track
		}
		c.talk.hear(t, u.Data)
	}
}
