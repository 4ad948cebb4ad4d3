package server

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkPress is from Press to the last of eight sockets' readers, while all eight ask.
func BenchmarkPress(b *testing.B) {
	for _, pause := range []time.Duration{0, 20 * time.Millisecond} {
		b.Run(fmt.Sprint("asking every ", pause), func(b *testing.B) {
			d := newDoor(b, nil)
			heard := make(chan time.Time, 8)
			stop := make(chan struct{})
			var all sync.WaitGroup
			for i := range 8 {
				l := d.invite(b, fmt.Sprint(i), true).call(b, d)
				l.subscribe(b, d.bell.C)
				all.Go(func() { // who reads
					for {
						m, err := l.read()
						if err != nil {
							return
						}
						if m.event {
							heard <- time.Now()
						}
					}
				})
				all.Go(func() { // who asks
					defer l.net.Close()
					for {
						select {
						case <-stop:
							return
						case <-time.After(pause):
						}
						if l.ask("GET", "/accessories", "") != nil {
							return
						}
					}
				})
			}
			var took []time.Duration
			for b.Loop() {
				at := time.Now()
				d.Press(Press{C: d.bell.C})
				for range 8 {
					took = append(took, (<-heard).Sub(at))
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
			close(stop)
			all.Wait()
		})
	}
}
