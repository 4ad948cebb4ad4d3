package socket

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// ear takes what a plugin says.
type ear struct {
	mu    sync.Mutex
	got   []*av.Unit
	full  error
	ended []string
	done  chan struct{}
}

func (e *ear) put(u *av.Unit) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.full != nil && len(e.got) == 3 {
		return e.full
	}
	e.got = append(e.got, u)
	return nil
}

func (e *ear) end(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = append(e.ended, reason)
}

func (e *ear) over() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.ended) > 0
}

func (e *ear) grant() Grant {
	e.done = make(chan struct{})
	return Grant{Direction: av.Publish, Camera: "door", Stream: "talk", Track: av.PCMTrack(1, av.L16, 16000, 1), Put: e.put, Done: e.done, Ended: e.end}
}

func TestWhatAPluginSays(t *testing.T) {
	l16 := av.PCMTrack(1, av.L16, 16000, 1)
	for _, c := range []struct {
		name  string
		track av.Track
		say   int
		full  error
		do    func(*ear, *av.Publisher)
		got   int
		why   string // of the end, as the taker is told
		told  string // as the plugin is told
	}{
		{name: "it stops", track: l16, say: 5, got: 5, why: "stopped", do: func(_ *ear, p *av.Publisher) { _ = p.Close() }},
		{name: "the talk ends", track: l16, say: 5, got: 5, why: "connection has ended", told: "the talk is over", do: func(e *ear, p *av.Publisher) { close(e.done) }},
		{name: "enough", track: l16, say: 5, full: errors.New("the camera has gone"), got: 3, why: "the camera has gone", told: "the camera has gone"},
		{name: "another codec", track: av.PCMTrack(1, av.PCMU, 8000, 1), say: 1, why: "bad unit", told: "not the one that was agreed on"},
		{name: "another track", track: av.PCMTrack(3, av.L16, 16000, 1), say: 1, why: "bad unit", told: "not the one that was agreed on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			e := &ear{full: c.full}
			p, err := av.NewPublisher(t.Context(), h.path, h.token(e.grant()), c.track)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for i := range c.say {
				write(t, p, av.Unit{Track: c.track.ID, PTS: int64(i) * 320, Data: []byte{1, 2}})
			}
			await(t, "the units", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.got) == c.got })
			if c.do != nil {
				c.do(e, p)
			}
			await(t, "the end", e.over)
			if len(e.ended) != 1 || !strings.Contains(e.ended[0], c.why) {
				t.Errorf("ended %q, want %q", e.ended, c.why)
			}
			if c.told != "" {
				await(t, "what the plugin is told", func() bool {
					err := p.Write(t.Context(), &av.Unit{Track: c.track.ID, Data: []byte{1, 2}})
					return err != nil && strings.Contains(err.Error(), c.told)
				})
			}
			if h.core.Stream("door", "talk").Live() {
				t.Error("it went into the stream too")
			}
		})
	}
}
