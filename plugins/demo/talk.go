package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/demo/loudness"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// noteFor is how long the last talk stays in the pictures.
const noteFor = 15 * time.Second

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
	ear     loudness.Ear
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
	ToneHz       float64  `json:"tone_hz"` // what the last second is a tone of; 0: it is none
	Units        int      `json:"units"`
}

func (m *talkMeter) begin(r sdk.TalkRequest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.talking, m.talker, m.codec = true, r.Talker, r.Track.Codec
	m.heard, m.sum, m.samples, m.units, m.last = 0, 0, 0, 0, time.Now()
	m.ear = loudness.Ear{}
}

func (m *talkMeter) hear(t av.Track, data []byte) {
	d, sum, n := loudness.Measure(t, data)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ear.Hear(t, data)
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

// takes is what the door takes, best first: what it can measure.
func takes() []av.Track {
	return []av.Track{av.PCMTrack(1, av.L16, 16000, 1), av.PCMTrack(1, av.PCMU, 8000, 1), av.PCMTrack(1, av.PCMA, 8000, 1)}
}

func (m *talkMeter) status(camera string) talkStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return talkStatus{
		Camera: camera, Talking: m.talking, Talker: m.talker, Codec: m.codec, Units: m.units,
		HeardSeconds: math.Round(m.heard.Seconds()*100) / 100, LevelKnown: m.samples > 0, LevelDBFS: loudness.Level(m.sum, m.samples),
	}
}

// answer is the status with the tone, which takes a moment to find.
func (m *talkMeter) answer(camera string) talkStatus {
	s := m.status(camera)
	m.mu.Lock()
	defer m.mu.Unlock()
	s.ToneHz = m.ear.Tone()
	return s
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
