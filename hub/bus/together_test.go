package bus

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// All at once: publishers, quick and slow takers, takers that leave and come again,
// that refuse and that answer out of order, queries; then every taker has had every
// event of its camera in order.
func TestTogether(t *testing.T) {
	const cameras, each = 4, 1500
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	type taker struct {
		s      *Subscription
		name   string
		filter string
		seen   map[string]bool
		last   map[string]uint64
	}
	var publishers, takers sync.WaitGroup
	for i := range 8 {
		k := &taker{name: fmt.Sprintf("taker%d", i), filter: "camera.*.*", seen: map[string]bool{}, last: map[string]uint64{}}
		want := cameras * each
		if i%2 == 1 {
			k.filter, want = fmt.Sprintf("camera.cam%d.*", i%cameras), each
		}
		k.s = subscribe(t, b, SubscribeOptions{Name: k.name, Filters: []string{k.filter}})
		takers.Go(func() {
			var late []uint64
			for len(k.seen) < want {
				d, err := k.s.Next(t.Context())
				if err != nil {
					t.Errorf("%s: %v", k.name, err)
					return
				}
				e := d.Event
				if k.seen[e.ID] && !d.Replay {
					t.Errorf("%s: %s again, and no replay", k.name, e.ID)
				}
				key := e.Camera + string(e.Type)
				if !k.seen[e.ID] && e.Seq <= k.last[key] {
					t.Errorf("%s: %s: seq %d after %d", k.name, key, e.Seq, k.last[key])
				}
				k.last[key] = max(k.last[key], e.Seq)
				k.seen[e.ID] = true
				switch n := rand.IntN(300); {
				case n == 0 && i < 4: // leaves with some unanswered, and comes again
					k.s.Close()
					late = nil
					s, err := b.Subscribe(SubscribeOptions{Name: k.name, Filters: []string{k.filter}})
					if err != nil {
						t.Errorf("%s: %v", k.name, err)
						return
					}
					k.s = s
				case n < 20:
					late = append(late, e.Seq)
				case n < 25:
					k.s.AckUpTo(e.Class(), e.Seq)
				case n < 60:
					for _, seq := range late {
						k.s.Ack(seq)
					}
					late = nil
					k.s.Ack(e.Seq)
				default:
					k.s.Ack(e.Seq)
				}
			}
			for _, seq := range late {
				k.s.Ack(seq)
			}
		})
	}
	var answers sync.WaitGroup
	for c := range cameras {
		publishers.Go(func() {
			for i := range each {
				e := motion(fmt.Sprintf("cam%d", c))
				if i%50 == 0 {
					e = ring(fmt.Sprintf("cam%d", c))
				}
				answers.Add(1)
				if err := b.Publish(t.Context(), e, func(r event.Result, err error) {
					if err != nil || r.Outcome != event.Durable {
						t.Errorf("answered %v, %v", r, err)
					}
					answers.Done()
				}); err != nil {
					t.Error(err)
					answers.Done()
				}
				if i%100 == 0 {
					if _, err := b.Events(t.Context(), Query{Camera: e.Camera, Limit: 10}); err != nil {
						t.Error(err)
					}
					b.Stats()
				}
			}
		})
	}
	publishers.Wait()
	answers.Wait()
	takers.Wait()
	stop()

	b, _ = open(t, Options{Journal: path})
	for i := range 8 {
		s := subscribe(t, b, SubscribeOptions{Name: fmt.Sprintf("taker%d", i), Filters: []string{"camera.*.*"}})
		if i%2 == 0 && i >= 4 { // answered all
			nothing2(t, s)
		}
	}
}
