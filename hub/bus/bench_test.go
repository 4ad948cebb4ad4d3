package bus

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// BenchmarkDelivered: from Publish of a ring to a taker that has it.
func BenchmarkDelivered(b *testing.B) {
	for _, kind := range []string{"ring", "motion"} {
		b.Run(kind, func(b *testing.B) {
			bus, _ := open(b, Options{})
			s := subscribe(b, bus, SubscribeOptions{Name: "taker"})
			got := make(chan struct{})
			go func() {
				for {
					d, err := s.Next(context.Background())
					if err != nil {
						return
					}
					s.Ack(d.Event.Seq)
					got <- struct{}{}
				}
			}()
			defer s.Close()
			evs := make([]event.Event, b.N)
			for i := range evs {
				if evs[i] = ring("front_door"); kind == "motion" {
					evs[i] = motion("front_door")
				}
			}
			b.ResetTimer()
			for i := range evs {
				if err := bus.Publish(b.Context(), evs[i], nil); err != nil {
					b.Fatal(err)
				}
				<-got
			}
		})
	}
}

// BenchmarkAcknowledged: one publisher that waits for each answer.
func BenchmarkAcknowledged(b *testing.B) {
	for _, kind := range []string{"ring", "motion"} {
		b.Run(kind, func(b *testing.B) {
			bus, _ := open(b, Options{})
			evs := make([]event.Event, b.N)
			for i := range evs {
				if evs[i] = ring("front_door"); kind == "motion" {
					evs[i] = motion("front_door")
				}
			}
			b.ResetTimer()
			for i := range evs {
				publish(b, bus, evs[i], event.Durable)
			}
		})
	}
}

// BenchmarkThroughput: one publisher that does not wait.
func BenchmarkThroughput(b *testing.B) {
	bus, _ := open(b, Options{})
	done := make(chan struct{}, 256) // the publisher's credits
	for range cap(done) {
		done <- struct{}{}
	}
	b.ResetTimer()
	for range b.N {
		<-done
		if err := bus.Publish(b.Context(), motion("front_door"), func(event.Result, error) { done <- struct{}{} }); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(done) {
		<-done
	}
}

// BenchmarkBareInsert is the floor: the same row into a bare table, synced as a ring
// is, or as the rest.
func BenchmarkBareInsert(b *testing.B) {
	for _, sync := range []string{"FULL", "NORMAL"} {
		b.Run(sync, func(b *testing.B) {
			db, err := store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "bare.db"), "synchronous("+sync+")")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if _, err := db.Exec(`CREATE TABLE events (seq INTEGER PRIMARY KEY, id BLOB, body BLOB)`); err != nil {
				b.Fatal(err)
			}
			st, err := db.Prepare(`INSERT INTO events (id, body) VALUES (?, ?)`)
			if err != nil {
				b.Fatal(err)
			}
			e := ring("front_door")
			body, err := event.Marshal(&e)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for range b.N {
				if _, err := st.Exec(e.ID, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
