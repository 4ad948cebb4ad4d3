package mse

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	// feedBytes is what a feed keeps at most, of the GOP that runs and the one before.
	feedBytes = 24 << 20
	// chunkBytes: a GOP that is longer goes on in another chunk.
	chunkBytes = 8 << 20
	// pieceBytes is what a viewer takes at once, beyond one fragment.
	pieceBytes = 256 << 10
	// slowLag: a viewer further behind goes on at a newer key frame.
	slowLag = 2 * time.Second
)

// generation is an init segment and what it says. It does not change.
type generation struct {
	id     uint64
	mime   string
	init   []byte
	width  int
	height int
	sound  bool
	mute   string // why there is no sound, if the stream has some
	how    string // the rendition: copy, or converted and why
}

// chunk is fragments that follow each other, in one array that only grows: what was
// written does not change, so viewers read it without a lock. Each fragment stands behind
// the header that it has as a message of a WebSocket, which is the same for all viewers:
// an unmasked frame of its own (RFC 6455 5.2).
type chunk struct {
	n     uint64 // counts from the feed's first
	gen   *generation
	key   bool // begins with a key frame
	buf   []byte
	frags []fragment
}

// fragment is where in its chunk one is.
type fragment struct {
	head, body, end int
	made            time.Time
	dts             time.Duration // of its picture
}

// messageHeader adds the header of a binary message of n bytes.
func messageHeader(b []byte, n int) []byte {
	const finalBinary = 0x82
	switch {
	case n < 126:
		return append(b, finalBinary, byte(n))
	case n < 1<<16:
		return append(b, finalBinary, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, finalBinary, 127), uint64(n))
}

// status is what viewers are told beside the pictures.
type status struct {
	live   bool
	reason string
	cannot bool // this stream will never be shown this way
}

// feed is what a mux made and its viewers read.
type feed struct {
	mu      sync.Mutex
	chunks  []*chunk // rising by n, without gaps
	next    uint64
	status  status
	told    uint64 // counts changes of status
	wake    chan struct{}
	waiting int
	err     error // the mux has ended
	skipped uint64
}

func newFeed() *feed { return &feed{wake: make(chan struct{})} }

// add appends a fragment of so many bytes, which write adds to what it is given.
func (f *feed) add(gen *generation, key bool, dts time.Duration, bytes int, write func([]byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var c *chunk
	if n := len(f.chunks); n > 0 {
		c = f.chunks[n-1]
	}
	if c == nil || key || c.gen != gen || len(c.buf) > chunkBytes {
		size := 64 << 10
		if c != nil {
			size = max(size, len(c.buf)*9/8) // the next GOP is about as big as the last
		}
		c = &chunk{n: f.next, gen: gen, key: key, buf: make([]byte, 0, size)}
		f.next++
		f.chunks = append(f.chunks, c)
	}
	fr := fragment{head: len(c.buf), made: time.Now(), dts: dts}
	c.buf = messageHeader(c.buf, bytes)
	fr.body = len(c.buf)
	c.buf = write(c.buf)
	fr.end = len(c.buf)
	c.frags = append(c.frags, fr)
	f.trim()
	f.broadcast()
}

// trim keeps the GOP that runs, the one before and what is younger than slowLag, and no
// more bytes than allowed.
func (f *feed) trim() {
	now := time.Now()
	keys, from, bytes := 0, 0, 0
	for i := len(f.chunks) - 1; i >= 0; i-- {
		bytes += len(f.chunks[i].buf)
		if bytes > feedBytes && i < len(f.chunks)-1 {
			from = i + 1
			break
		}
		if c := f.chunks[i]; c.key {
			if keys++; keys >= 2 && now.Sub(c.frags[0].made) > slowLag {
				from = i
				break
			}
		}
	}
	if from > 0 {
		clear(f.chunks[:from])
		f.chunks = f.chunks[from:]
	}
}

func (f *feed) setStatus(s status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told > 0 && f.status == s {
		return
	}
	f.status = s
	f.told++
	f.broadcast()
}

// can takes back that the stream cannot be shown.
func (f *feed) can() {
	f.mu.Lock()
	cannot := f.status.cannot
	f.mu.Unlock()
	if cannot {
		f.setStatus(status{live: true})
	}
}

func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.broadcast()
}

func (f *feed) broadcast() {
	if f.waiting == 0 {
		return
	}
	f.waiting = 0
	close(f.wake)
	f.wake = make(chan struct{})
}

// newestKey is the newest chunk that a viewer can begin with.
func (f *feed) newestKey() *chunk {
	for i := len(f.chunks) - 1; i >= 0; i-- {
		if f.chunks[i].key {
			return f.chunks[i]
		}
	}
	return nil
}

// chunk number n, if it is still there.
func (f *feed) chunk(n uint64) *chunk {
	if len(f.chunks) == 0 || n < f.chunks[0].n || n >= f.next {
		return nil
	}
	return f.chunks[n-f.chunks[0].n]
}
