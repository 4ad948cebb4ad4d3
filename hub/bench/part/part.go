package part

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"
)

// Kinds of events, as everywhere in the house.
const (
	Ring   = "ring"
	Motion = "motion"
)

// Order is what the bench asks of a part. Answers have the same number.
type Order struct {
	Number int    `json:"number"`
	Op     string `json:"op"`  // press, load, flood, note, notes, first
	Bus    string `json:"bus"` // over which of the part's buses
	Kind   string `json:"kind"`

	Count int           `json:"count,omitempty"` // press: how many
	Gap   time.Duration `json:"gap,omitempty"`   // press: mean pause, drawn between half and one and a half of it
	Wait  bool          `json:"wait,omitempty"`  // press: the next one only when the last is answered

	PerSecond float64       `json:"per_second,omitempty"` // load
	For       time.Duration `json:"for,omitempty"`        // load, flood: ends by itself

	Motions int `json:"motions,omitempty"` // flood
	Rings   int `json:"rings,omitempty"`
}

// Answer to an Order; the first one, number 0, says who is there.
type Answer struct {
	Number  int              `json:"number"`
	Name    string           `json:"name,omitempty"`
	Presses []Press          `json:"presses,omitempty"`
	Notes   map[string]int64 `json:"notes,omitempty"` // by event id, of Now
	Sent    int              `json:"sent,omitempty"`
	Acked   int              `json:"acked,omitempty"`
	Refused int              `json:"refused,omitempty"`
	Err     string           `json:"err,omitempty"`
}

// Press is one event that was published and waited for.
type Press struct {
	ID    string        `json:"id"`
	At    int64         `json:"at"` // of Now
	Acked time.Duration `json:"acked"`
}

// Bus is a way to publish. Publish returns when the event is acknowledged.
type Bus interface {
	Publish(ctx context.Context, kind, id string) error
}

// Part is one process of the bench.
type Part struct {
	Name  string
	Buses map[string]Bus
	NewID func() string

	mu    sync.Mutex
	notes map[string]int64 // nil: nothing is noted
	first chan struct{}    // closed by the first note
}

// New makes a part that notes already.
func New(newID func() string) *Part {
	return &Part{NewID: newID, notes: map[string]int64{}, first: make(chan struct{})}
}

// Note notes that an event came, once.
func (p *Part) Note(id string) {
	at := Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.notes == nil {
		return
	}
	if _, ok := p.notes[id]; !ok {
		p.notes[id] = at
		if len(p.notes) == 1 {
			close(p.first)
		}
	}
}

// Serve obeys the bench until its socket closes or ctx ends.
func (p *Part) Serve(ctx context.Context, socket string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return fmt.Errorf("part %s: %w", p.Name, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	var writing sync.Mutex
	answer := func(a Answer) {
		writing.Lock()
		defer writing.Unlock()
		// The bench is gone if this fails; the reader below notices.
		_ = json.NewEncoder(c).Encode(a)
	}
	answer(Answer{Name: p.Name})
	var work sync.WaitGroup
	defer work.Wait()
	orders := json.NewDecoder(bufio.NewReader(c))
	for {
		var o Order
		if err := orders.Decode(&o); err != nil {
			cancel()
			return nil
		}
		work.Go(func() {
			a := p.obey(ctx, o)
			a.Number = o.Number
			answer(a)
		})
	}
}

func (p *Part) obey(ctx context.Context, o Order) Answer {
	switch o.Op {
	case "note":
		p.mu.Lock()
		defer p.mu.Unlock()
		p.notes, p.first = map[string]int64{}, make(chan struct{})
		return Answer{}
	case "first": // answers when there is a note
		p.mu.Lock()
		first := p.first
		p.mu.Unlock()
		select {
		case <-first:
		case <-ctx.Done():
			return Answer{Err: "over"}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return Answer{Notes: maps.Clone(p.notes)}
	case "notes":
		p.mu.Lock()
		defer p.mu.Unlock()
		a := Answer{Notes: p.notes}
		p.notes = nil
		return a
	}
	bus, ok := p.Buses[o.Bus]
	if !ok {
		return Answer{Err: "no bus " + o.Bus}
	}
	switch o.Op {
	case "press":
		return p.press(ctx, bus, o)
	case "load":
		return p.load(ctx, bus, o)
	case "flood":
		return p.flood(ctx, bus, o)
	}
	return Answer{Err: "no order " + o.Op}
}
