package homekit

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/ledger"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
)

// switchboard is a server's connections, as far as they hear presses.
type switchboard struct {
	peers  []*server.Peer
	broken map[uint64]bool
	heard  map[uint64][]int
}

func (s *switchboard) one(p *server.Peer, press server.Press) {
	if press.Claim(p) {
		if s.broken[p.ID()] {
			press.Wrote(p, errors.New("connection reset"))
			return
		}
		s.heard[p.ID()] = append(s.heard[p.ID()], press.Value)
		press.Wrote(p, nil)
	}
}

func (s *switchboard) Press(press server.Press) int {
	for _, p := range s.peers {
		s.one(p, press)
	}
	return len(s.peers)
}

func (s *switchboard) PressTo(p *server.Peer, press server.Press) bool {
	s.one(p, press)
	return true
}

func peer(id uint64, controller, from string, done chan struct{}) *server.Peer {
	return server.NewPeer(server.PeerInfo{ID: id, Controller: controller, Remote: netip.MustParseAddrPort(from + ":50000"), Done: done})
}

// A ring reaches all, is reported, and the one whose connection broke is told when
// it is back.
func TestBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(filepath.Join(t.TempDir(), "rings"), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var reports []string
		c := characteristic.NewProgrammableSwitchEvent().C
		var work sync.WaitGroup
		b := &bell{accessory: "door", c: c, ledger: l, ctx: t.Context(), listening: map[uint64]bool{},
			told: func(_ context.Context, r ledger.Ring, told, of int, _ time.Duration) {
				reports = append(reports, r.ID+" "+string(rune('0'+told))+"/"+string(rune('0'+of)))
			}}
		s := &switchboard{broken: map[uint64]bool{}, heard: map[uint64][]int{}}
		hangUp := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
		for i, from := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2"} {
			p := peer(uint64(i+1), "family", from, hangUp[i])
			s.peers = append(s.peers, p)
			b.subscribed(s, p, c, &work)
			b.subscribed(s, p, c, &work) // again: nothing new
		}
		b.subscribed(s, s.peers[0], characteristic.NewMotionDetected().C, &work)
		s.broken[3] = true
		now := time.Now()
		ring := ledger.Ring{ID: "a", Accessory: "door", Value: 2, At: now, Until: now.Add(15 * time.Second)}
		if !l.Take(ring) {
			t.Fatal("a new ring")
		}
		b.ring(s, ring, &work)
		synctest.Wait()
		if len(reports) != 1 || reports[0] != "a 2/3" {
			t.Fatalf("reports: %v", reports)
		}
		close(hangUp[2])
		synctest.Wait()
		again := make(chan struct{})
		back := peer(4, "family", "192.0.2.2", again)
		b.subscribed(s, back, c, &work)
		if got := s.heard[4]; len(got) != 1 || got[0] != 2 {
			t.Fatalf("the one that is back heard %v", got)
		}
		if last, ok := b.lastRing(); !ok || last.Told != 3 || len(s.heard[1]) != 1 || len(s.heard[2]) != 1 {
			t.Fatalf("last ring %+v, heard %v", last, s.heard)
		}
		last, _ := b.lastRing()
		b.ring(s, ring, &work) // nobody is to be told any more: that is nobody's failure
		synctest.Wait()
		if len(reports) != 2 || reports[1] != "a 0/0" {
			t.Fatalf("reports: %v", reports)
		}
		b.close()
		b.ring(s, ledger.Ring{ID: "b", At: now.Add(time.Second), Until: now.Add(time.Minute)}, &work)
		if is, _ := b.lastRing(); is.At != last.At {
			t.Error("it rings while it closes")
		}
		close(hangUp[0])
		close(hangUp[1])
		close(again)
		work.Wait()
	})
}
