package feed

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// stage is a feed whose clock stands until it is told to go.
type stage struct {
	*Feed
	t  *testing.T
	w  *media.Writer
	at int64

	mu  sync.Mutex
	now time.Time
}

func newStage(t *testing.T) *stage {
	t.Helper()
	sps, _ := hex.DecodeString("674d400cd901419f9f011000000300100000030320f142a480")
	pps, _ := hex.DecodeString("68ebc3cb20")
	tr, err := av.H264Track(1, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	stream := media.New(media.Limits{}).Stream("front", "main")
	s := &stage{t: t, now: time.Unix(1_800_000_000, 0)}
	if s.w, err = stream.Begin([]av.Track{tr}); err != nil {
		t.Fatal(err)
	}
	r := media.NewRendering(stream.Read(av.Start{From: av.FromKeyFrame}), av.Rendition{}, media.Copy, nil)
	s.Feed = New(Source{Camera: "front", Stream: "main"}, r, func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *stage) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// put sends a picture and waits until the feed has it.
func (s *stage) put(key bool) {
	s.t.Helper()
	b := make([]byte, 3000)
	binary.BigEndian.PutUint32(b, 2996)
	if b[4] = 0x41; key {
		b[4] = 0x65
	}
	s.at += 3600
	before := s.end64()
	if err := s.w.Put(&av.Unit{Track: 1, Key: key, PTS: s.at, DTS: s.at, Data: b}); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); s.end64() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the feed takes nothing")
		}
	}
}

func (s *stage) end64() uint64 {
	s.Feed.mu.Lock()
	defer s.Feed.mu.Unlock()
	return s.endNo()
}

// take gives how many pictures the cursor gets, and whether the first is a key frame.
func (s *stage) take(c *Cursor) (pictures int, key bool) {
	s.t.Helper()
	taken, err := c.Take()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range taken {
		if e.unit == nil {
			continue
		}
		if pictures == 0 {
			key = e.unit.Key
		}
		pictures++
	}
	return pictures, key
}

func TestCursors(t *testing.T) {
	s := newStage(t)
	s.put(true)
	s.put(false)
	c := s.Cursor([]bool{true})
	if n, key := s.take(c); n != 2 || !key {
		t.Errorf("a new cursor gets %d pictures, key %v", n, key)
	}

	// One that begins within a long GOP is not late for that.
	s.pass(3 * time.Second)
	late := s.Cursor([]bool{true})
	s.put(true)
	if n, key := s.take(late); n != 3 || !key {
		t.Errorf("of the long GOP it gets %d pictures, key %v", n, key)
	}
	if gops, _ := late.Missed(); gops != 0 {
		t.Errorf("it missed %d GOPs", gops)
	}
	s.take(c)

	// One that stands while GOPs pass goes on at the newest, and that is counted as it stands.
	s.put(false)
	for range 5 {
		s.pass(time.Second)
		s.put(true)
	}
	standing, lag := c.Missed()
	if standing == 0 || lag < 2*time.Second {
		t.Errorf("while it stands: %d GOPs, lag %v", standing, lag)
	}
	if n, key := s.take(c); n != 1 || !key {
		t.Errorf("it goes on with %d pictures, key %v", n, key)
	}
	if gops, _ := c.Missed(); gops != 4 { // beside the rest of its own
		t.Errorf("it missed %d GOPs", gops)
	}

	c.Stop()
	if _, err := c.Take(); !errors.Is(err, ErrStopped) {
		t.Errorf("after its end: %v", err)
	}
}

// What a feed has let go of is made again, with the same numbers.
func TestPacketsAreMadeAgain(t *testing.T) {
	s := newStage(t)
	s.put(true)
	first, err := s.Cursor([]bool{true}).Take()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := first[0].Packed(nil)
	s.pass(time.Second)
	s.put(false)
	again, err := s.Cursor([]bool{true}).Take()
	if err != nil {
		t.Fatal(err)
	}
	if again[0].wire != nil {
		t.Error("it is kept for ever")
	}
	if got, _ := again[0].Packed(nil); string(got) != string(want) {
		t.Errorf("%d bytes, want the same %d", len(got), len(want))
	}
}

// A sink that takes a part is given the rest by Take before anything else, and nothing
// more until then.
func TestSink(t *testing.T) {
	s := newStage(t)
	s.put(true)
	c := s.Cursor([]bool{true})
	calls := make(chan int, 8) // more than the test makes
	full := true
	var cut []byte
	c.Direct(func(taken []Entry) [][]byte {
		defer func() { calls <- len(taken) }()
		if full {
			return nil
		}
		b, _ := taken[0].Packed(nil)
		cut = b[100:]
		return [][]byte{cut}
	})
	took := make(chan []Entry) // what Take gave, one at a time
	failed := make(chan error, 1)
	go func() {
		for {
			e, err := c.Take()
			if err != nil {
				failed <- err
				return
			}
			took <- append([]Entry(nil), e...)
		}
	}()
	if e := <-took; len(e) == 0 || !e[0].unit.Key {
		t.Fatalf("%+v", e)
	}
	parked := func() bool {
		s.Feed.mu.Lock()
		defer s.Feed.mu.Unlock()
		return c.direct
	}
	for end := time.Now().Add(10 * time.Second); !parked(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the feed does not write for it")
		}
	}
	s.put(false)
	if n := <-calls; n != 1 {
		t.Errorf("%d entries", n)
	}
	full = false
	s.put(false)
	<-calls
	e := <-took
	if b, _ := e[0].Packed(nil); len(e) != 1 || string(b) != string(cut) {
		t.Errorf("%d entries, %d bytes", len(e), len(b))
	}
	if _, counted := e[0].Count(); !counted {
		t.Error("a rest is counted twice")
	}
	for end := time.Now().Add(10 * time.Second); !parked(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the feed does not write for it again")
		}
	}
	c.Stop()
	if err := <-failed; !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
}
