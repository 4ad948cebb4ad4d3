package restream

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

// Of 32 readers, 8 of them by UDP, one takes nothing: it alone misses something, and its
// figures say so. PORCHLIGHT_CROWD is for how many seconds, 12 unless said.
func TestOneFrozenOfMany(t *testing.T) {
	seconds, _ := strconv.Atoi(os.Getenv("PORCHLIGHT_CROWD"))
	span := time.Duration(max(12, seconds)) * time.Second
	if testing.Short() {
		t.Skip("SKIPPED: takes a quarter of a minute")
	}
	f := newFilm(t, "1280x720")
	h := newHouse(t, nil)
	f.show(t, h.core.Stream("front", "main"))
	frozen := dial(t, h)
	frozen.watch("front/main", false, 0, 1)
	var all []*peer
	for i := range 31 {
		p := dial(t, h)
		p.watch("front/main", i >= 23, 0, 1)
		all = append(all, p)
	}
	until := time.Now().Add(span)
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			if err := p.read(until); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i, p := range all {
		if p.gaps.Load() != 0 || p.packets.Load() < 100 || p.reports.Load() < 2 {
			t.Errorf("reader %d: %d gaps in %d packets, %d reports", i, p.gaps.Load(), p.packets.Load(), p.reports.Load())
		}
	}
	st := h.Stats()
	var missed uint64
	for _, r := range append(st.Readers, st.Ended...) {
		if r.ID == 1 {
			missed += r.SkippedGOPs
			t.Logf("%+v", r)
		} else if r.SkippedGOPs > 0 {
			t.Errorf("%+v", r)
		}
	}
	if missed == 0 {
		t.Error("the frozen one has missed nothing")
	}
}

// Answers to questions come between packets, never within one, however full the way is.
func TestQuestionsOfASlowReader(t *testing.T) {
	h, w := still(t, nil)
	p := dial(t, h)
	if tc, ok := p.nc.(*net.TCPConn); ok {
		_ = tc.SetReadBuffer(16 << 10)
	}
	p.watch("front/main", false, 0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := w.Put(picture(i%50 == 0, i*3600, 60_000)); err != nil {
				t.Error(err)
				return
			}
			runtime.Gosched()
		}
	})
	url := "rtsp://" + p.host + "/front/main"
	for range 300 {
		status(t, p.ask("GET_PARAMETER", url), base.StatusOK, "still there?")
	}
	status(t, p.ask("PAUSE", url), base.StatusOK, "pause")
	status(t, p.ask("PLAY", url), base.StatusOK, "play on")
	status(t, p.ask("TEARDOWN", url), base.StatusOK, "goodbye")
	close(done)
	wg.Wait()
	if p.packets.Load() < 300 {
		t.Errorf("%d packets", p.packets.Load())
	}
}
