package speech

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func header(seq uint16, ts uint32) rtp.Header {
	return rtp.Header{Version: 2, PayloadType: 110, SequenceNumber: seq, Timestamp: ts, SSRC: 1002}
}

// TestReorder: any order within 16 packets comes out right, whatever is twice or missing.
func TestReorder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		line := reorder{rate: 24000}
		now := time.Unix(1, 0)
		start := uint16(r.Uint32())
		var order []int
		for i := range 100 {
			if i > 0 && r.IntN(10) == 0 {
				continue
			}
			order = append(order, i)
			if r.IntN(10) == 0 {
				order = append(order, i)
			}
		}
		for i := 1; i+4 < len(order); i += 5 {
			r.Shuffle(4, func(a, b int) { order[i+a], order[i+b] = order[i+b], order[i+a] })
		}
		var out []int
		take := func() {
			for {
				p, ok := line.pop(now)
				if !ok {
					return
				}
				out = append(out, int(p.seq-start))
			}
		}
		for _, i := range order {
			h := header(start+uint16(i), uint32(i)*480)
			line.push(&h, []byte{byte(i)}, now)
			now = now.Add(2 * time.Millisecond)
			take()
		}
		now = now.Add(time.Second)
		take()
		want := slices.Clone(order)
		slices.Sort(want)
		want = slices.Compact(want)
		if !slices.IsSorted(out) || len(slices.Compact(slices.Clone(out))) != len(out) {
			t.Fatalf("out of order, or twice: %v", out)
		}
		if len(out) != len(want) {
			t.Fatalf("%d of %d came", len(out), len(want))
		}
	}
}

// FuzzSpeech: any packets in any order: the line stays bounded, and its times do not go back.
func FuzzSpeech(f *testing.F) {
	f.Add([]byte{0, 1, 1, 2, 2, 3, 9, 4, 3, 5})
	f.Add([]byte{255, 1, 0, 2, 7, 7, 7, 7, 128, 128})
	f.Fuzz(func(t *testing.T, b []byte) {
		line := reorder{rate: 24000}
		now := time.Unix(1, 0)
		last := int64(-1)
		for len(b) >= 4 {
			h := header(binary.BigEndian.Uint16(b), uint32(b[2])*480)
			h.SSRC = uint32(b[3] & 1)
			line.push(&h, b[:4], now)
			now = now.Add(time.Duration(b[3]) * time.Millisecond)
			b = b[4:]
			if len(line.wait) > reorderMost+1 {
				t.Fatalf("%d wait", len(line.wait))
			}
			for {
				p, ok := line.pop(now)
				if !ok {
					break
				}
				at := line.pts(p, 20*time.Millisecond)
				if at < last {
					t.Fatalf("%d after %d", at, last)
				}
				last = at
			}
		}
	})
}
