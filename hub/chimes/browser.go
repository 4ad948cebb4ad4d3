package chimes

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// soundQueue is how many sounds a page may be behind; a page further behind misses some.
	soundQueue = 16
	// soundedWithin is how long a page has to report that it sounded.
	soundedWithin = 3 * time.Second
	// maxPages bounds the pages that listen.
	maxPages = 256
)

// Sound is what the open pages are asked to play.
type Sound struct {
	Chime      string `json:"chime"`
	Sound      string `json:"sound"`
	Volume     int    `json:"volume"` // 0 to 100
	EventID    string `json:"event_id"`
	Camera     string `json:"camera,omitempty"`
	CameraName string `json:"camera_name,omitempty"`
	Test       bool   `json:"test,omitempty"`
}

// browser is the chime that sounds in the open pages.
type browser struct {
	mu      sync.Mutex
	pages   map[chan Sound]struct{}
	waiting map[string]chan time.Duration // by event and chime; room for one answer
}

func newBrowser() *browser {
	return &browser{pages: map[chan Sound]struct{}{}, waiting: map[string]chan time.Duration{}}
}

// play hands the sound to every page; of them one sounds and reports it.
func (b *browser) play(ctx context.Context, p Play) (Played, error) {
	if p.IgnoreOlderThan > 0 && p.Age > p.IgnoreOlderThan {
		return Played{Reason: "too old"}, nil
	}
	s := Sound{Chime: p.Chime, Sound: p.Sound, Volume: p.Volume, EventID: p.EventID, Camera: p.Camera, CameraName: p.CameraName, Test: p.Test}
	key := p.EventID + "/" + p.Chime
	answer := make(chan time.Duration, 1) // one report is enough
	b.mu.Lock()
	if len(b.pages) == 0 {
		b.mu.Unlock()
		return Played{Reason: "no page is open"}, nil
	}
	b.waiting[key] = answer
	for page := range b.pages {
		select {
		case page <- s:
		default: // that page is stuck; the others sound
		}
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.waiting, key)
		b.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, soundedWithin)
	defer cancel()
	select {
	case took := <-answer:
		return Played{Played: true, Sound: p.Sound, Took: took}, nil
	case <-ctx.Done():
		return Played{Reason: "no open page has its sound turned on"}, nil
	}
}

// ErrTooManyPages: more pages listen than the hub serves.
var ErrTooManyPages = errors.New("too many pages are open")

// Sounds gives what the browser chime shall sound, until cancel is called.
func (c *Chimes) Sounds() (<-chan Sound, func(), error) {
	b := c.browser
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pages) >= maxPages {
		return nil, nil, ErrTooManyPages
	}
	page := make(chan Sound, soundQueue)
	b.pages[page] = struct{}{}
	return page, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.pages, page)
	}, nil
}

// Sounded is a page's report that it plays the sound of an event.
func (c *Chimes) Sounded(eventID, chime string, took time.Duration) {
	b := c.browser
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch, ok := b.waiting[eventID+"/"+chime]; ok {
		select {
		case ch <- took:
		default: // another page was first
		}
	}
}
