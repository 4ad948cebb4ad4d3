package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxWaiting bounds the sounds that wait behind the one that sounds.
const maxWaiting = 8

// job is one sound on its way to the device.
type job struct {
	id      uint32
	chime   string
	pcm     []byte
	tried   bool          // handed to a sink once already
	started chan struct{} // closed when the first sample went out, or when it never will
	reason  string        // why it never will; set before started is closed
	at      time.Time     // of the first sample; set before started is closed
}

// queue holds what is to sound, in order. One device at a time takes from it.
type queue struct {
	mu      sync.Mutex
	waiting []*job
	now     *job
	closed  string        // why nothing is taken at the moment; empty: it is
	more    chan struct{} // size 1: "look at the queue"
	lastID  uint32
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

// add puts a sound at the end, or says why it does not.
func (q *queue) add(chime string, pcm []byte) (*job, string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != "" {
		return nil, q.closed
	}
	if len(q.waiting) >= maxWaiting {
		return nil, "queue full: 8 sounds are waiting"
	}
	q.lastID++
	j := &job{id: q.lastID, chime: chime, pcm: pcm, started: make(chan struct{})}
	q.waiting = append(q.waiting, j)
	q.signal()
	return j, ""
}

func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// open lets sounds in again.
func (q *queue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = ""
}

// close lets none in and gives those that wait the reason.
func (q *queue) close(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = reason
	for _, j := range q.waiting {
		j.refuse(reason)
	}
	q.waiting = nil
}

func (j *job) refuse(reason string) {
	j.reason = reason
	close(j.started)
}

// next waits for a sound and makes it the one that sounds.
func (q *queue) next(ctx context.Context) (*job, error) {
	for {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			j := q.waiting[0]
			q.waiting = q.waiting[1:]
			q.now = j
			q.mu.Unlock()
			return j, nil
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.more:
		}
	}
}

// first notes that the first sample of the current sound went out.
func (q *queue) first(id uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now != nil && q.now.id == id && q.now.at.IsZero() {
		q.now.at = time.Now()
		close(q.now.started)
	}
}

// done ends the current sound; it answers whether that was the one.
func (q *queue) done(id uint32) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now == nil || q.now.id != id {
		return false
	}
	q.now = nil
	return true
}

// lost is called when the sink died. A sound that had not begun goes back to the
// front, once; one that had begun is over.
func (q *queue) lost(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.now
	q.now = nil
	if j == nil || !j.at.IsZero() {
		return
	}
	if j.tried {
		j.refuse(reason)
		return
	}
	j.tried = true
	q.waiting = slices.Insert(q.waiting, 0, j)
	q.signal()
}

// drop takes sounds out that still wait: one by its job, or all of a chime.
func (q *queue) drop(reason string, match func(*job) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(j *job) bool {
		if match(j) {
			j.refuse(reason)
			return true
		}
		return false
	})
}

// sounding tells what sounds and how many wait.
func (q *queue) sounding() (chime string, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now != nil {
		chime = q.now.chime
	}
	return chime, len(q.waiting)
}
