package bus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Query asks for events; a zero field asks nothing.
type Query struct {
	Since, Until time.Time // by receipt; Until is not included
	Camera       string
	Types        []event.Type
	Correlation  string
	Before       uint64 // only numbers below it: for the next page
	Limit        int    // 0: 100; at most 1,000
}

func (q *Query) takes(n *entry) bool {
	e := &n.ev
	return (q.Before == 0 || e.Seq < q.Before) &&
		(q.Since.IsZero() || !e.Received.Before(q.Since)) && (q.Until.IsZero() || e.Received.Before(q.Until)) &&
		(q.Camera == "" || e.Camera == q.Camera) && (q.Correlation == "" || e.Correlation == q.Correlation) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, e.Type))
}

// Events gives events newest first, those not yet in the journal among them, and of
// each state subject its latest value.
func (b *Bus) Events(ctx context.Context, q Query) ([]event.Event, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	// Memory first: what is written meanwhile is found twice then, and not missed.
	var found []*entry
	b.mu.Lock()
	for i := range b.tails {
		left := q.Limit
		for _, n := range slices.Backward(b.tails[i].pending()) {
			if left == 0 {
				break
			}
			if n.class != event.ClassState && q.takes(n) {
				found = append(found, n)
				left--
			}
		}
	}
	for _, n := range b.state {
		if q.takes(n) {
			found = append(found, n)
		}
	}
	b.mu.Unlock()
	stored, err := b.journal.search(ctx, q, b.first)
	if err != nil {
		return nil, fmt.Errorf("bus: read journal: %w", err)
	}
	found = append(found, stored...)
	slices.SortFunc(found, func(x, y *entry) int { return cmp.Compare(y.ev.Seq, x.ev.Seq) })
	found = slices.CompactFunc(found, func(x, y *entry) bool { return x.ev.Seq == y.ev.Seq })
	out := make([]event.Event, 0, min(len(found), q.Limit))
	for _, n := range found[:min(len(found), q.Limit)] {
		out = append(out, n.ev)
	}
	return out, nil
}

// Event gives one event by its id, or ErrNotFound.
func (b *Bus) Event(ctx context.Context, id string) (event.Event, error) {
	key, err := uuid.Parse(id)
	if err != nil {
		return event.Event{}, fmt.Errorf("%w: %.40q is no id", ErrNotFound, id)
	}
	b.mu.Lock()
	for i := range b.tails {
		for _, n := range slices.Backward(b.tails[i].entries) {
			if n.id == key {
				b.mu.Unlock()
				return n.ev, nil
			}
		}
	}
	b.mu.Unlock()
	n, err := b.journal.byID(ctx, key, b.first)
	if err != nil {
		return event.Event{}, fmt.Errorf("bus: event %s: %w", id, err)
	}
	return n.ev, nil
}

// State gives the latest value of a subject of class state.
func (b *Bus) State(subject string) (event.Event, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.state[subject]
	if !ok {
		return event.Event{}, false
	}
	return n.ev, true
}
