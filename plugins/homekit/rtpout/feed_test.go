package rtpout

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
)

// TestOpeningsAreOneAtATime, however often a controller changes its mind: each costs memory
// and a question to the hub.
func TestOpeningsAreOneAtATime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFeed(ctx, slog.New(slog.DiscardHandler))
	var opening, most atomic.Int32
	from := func(ctx context.Context) (Units, error) {
		if n := opening.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer opening.Add(-1)
		<-ctx.Done() // a camera that does not answer
		return nil, ctx.Err()
	}
	for range 2000 {
		f.open(from, first)
		f.stop()
		f.open(from, first)
		f.open(from, other)
	}
	f.stop()
	cancel()
	f.close()
	if most.Load() > 1 {
		t.Errorf("%d were opened at a time", most.Load())
	}
}
