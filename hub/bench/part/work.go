package part

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// underWay is how many events of a load may be unanswered at once.
	underWay = 128
	// flooders publish side by side in a flood: more than the protocol has credits.
	flooders = 512
	// answerTime is how long one event may take before it counts as refused.
	answerTime = 10 * time.Second
)

// press publishes with pauses that keep no step with anybody's timer.
func (p *Part) press(ctx context.Context, bus Bus, o Order) Answer {
	a := Answer{Sent: o.Count}
	var mu sync.Mutex // of a
	var waits sync.WaitGroup
	one := func() {
		id := p.NewID()
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		at := Now()
		err := bus.Publish(ctx, o.Kind, id)
		acked := time.Duration(Now() - at)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			a.Refused++
			a.Err = err.Error()
			return
		}
		a.Presses = append(a.Presses, Press{ID: id, At: at, Acked: acked})
	}
	for range o.Count {
		pause(ctx, o.Gap/2+rand.N(o.Gap+1))
		if o.Wait {
			one()
		} else {
			waits.Go(one)
		}
	}
	waits.Wait()
	return a
}

// load publishes at a steady rate from a random moment of its first interval on.
func (p *Part) load(ctx context.Context, bus Bus, o Order) Answer {
	var acked, refused atomic.Int64
	var waits sync.WaitGroup
	slots := make(chan struct{}, underWay) // one for each event under way
	every := time.Duration(float64(time.Second) / o.PerSecond)
	began := time.Now()
	sent := 0
	for due := rand.N(every); due < o.For && ctx.Err() == nil; due += every {
		pause(ctx, due-time.Since(began))
		slots <- struct{}{}
		sent++
		waits.Go(func() {
			defer func() { <-slots }()
			one, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			if bus.Publish(one, o.Kind, p.NewID()) != nil {
				refused.Add(1)
				return
			}
			acked.Add(1)
		})
	}
	waits.Wait()
	return Answer{Sent: sent, Acked: int(acked.Load()), Refused: int(refused.Load())}
}

// flood publishes as fast as it can, from many sides, until all are answered or the
// time is over.
func (p *Part) flood(ctx context.Context, bus Bus, o Order) Answer {
	ctx, cancel := context.WithTimeout(ctx, o.For)
	defer cancel()
	var sent, acked, refused atomic.Int64
	run := func(kind string, count, sides int) func() {
		var left atomic.Int64
		left.Store(int64(count))
		return func() {
			var wg sync.WaitGroup
			for range sides {
				wg.Go(func() {
					for ctx.Err() == nil && left.Add(-1) >= 0 {
						sent.Add(1)
						switch err := bus.Publish(ctx, kind, p.NewID()); {
						case err == nil:
							acked.Add(1)
						case ctx.Err() == nil:
							refused.Add(1)
						}
					}
				})
			}
			wg.Wait()
		}
	}
	var both sync.WaitGroup
	both.Go(run(Motion, o.Motions, flooders))
	both.Go(run(Ring, o.Rings, flooders))
	both.Wait()
	return Answer{Sent: int(sent.Load()), Acked: int(acked.Load()), Refused: int(refused.Load())}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
