package bus

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Query asks for events.
type Query = journal.Query

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
			if n.Class != event.ClassState && q.Takes(&n.Event) {
				found = append(found, n)
				left--
			}
		}
	}
	for _, n := range b.state {
		if q.Takes(&n.Event) {
			found = append(found, n)
		}
	}
	b.mu.Unlock()
	stored, err := b.journal.Search(ctx, q, b.first)
	if err != nil {
		return nil, fmt.Errorf("bus: read journal: %w", err)
	}
	for _, r := range stored {
		found = append(found, back(r))
	}
	slices.SortFunc(found, func(x, y *entry) int { return cmp.Compare(y.Event.Seq, x.Event.Seq) })
	found = slices.CompactFunc(found, func(x, y *entry) bool { return x.Event.Seq == y.Event.Seq })
	out := make([]event.Event, 0, min(len(found), q.Limit))
	for _, n := range found[:min(len(found), q.Limit)] {
		out = append(out, n.Event)
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
			if n.ID == key {
				b.mu.Unlock()
				return n.Event, nil
			}
		}
	}
	b.mu.Unlock()
	n, err := b.journal.ByID(ctx, key, b.first)
	if err != nil {
		return event.Event{}, fmt.Errorf("bus: event %s: %w", id, err)
	}
	if n == nil {
		return event.Event{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return n.Event, nil
}

// State gives the latest value of a subject of class state.
func (b *Bus) State(subject string) (event.Event, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.state[subject]
	if !ok {
		return event.Event{}, false
	}
	return n.Event, true
}
