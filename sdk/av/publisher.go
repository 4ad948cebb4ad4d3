package av

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Limits of what a publisher keeps while the hub does not take it.
const (
	queueBytes = 8 << 20
	queueUnits = 2048
	// flushBytes: so much goes out in one write at most, so that a drop can still reach the rest.
	flushBytes = 512 << 10
	// closeGrace is how long Close waits for what is queued.
	closeGrace = 2 * time.Second
)

// Publisher is the plugin's end of a connection on which it sends. Its methods may be
// called from several goroutines; the order of units is that of the calls.
//
// Write never waits for the hub. When more than 8 MiB stand in the queue, whole GOPs go,
// beginning at the oldest unit that is no key frame; what follows is marked as a
// discontinuity and the loss is counted.
type Publisher struct {
	w *FrameWriter

	mu     sync.Mutex
	q      outbox
	tracks map[uint8]Track
	err    error
	closed bool
	stats  PublisherStats

	wake chan struct{} // size 1: "look at the queue"
	done chan struct{} // closed when the sending goroutine has ended
}

// PublisherStats counts since the connection began.
type PublisherStats struct {
	Units, Bytes  uint64 // handed to the socket
	Dropped       uint64 // units
	DroppedGOPs   uint64
	QueuedBytes   int
	Discontinuity uint64 // marks made
}

// Publisher sends tracks and then units. It owns the connection from now on.
func (c *Conn) Publisher(tracks ...Track) (*Publisher, error) {
	p := &Publisher{
		w:      NewFrameWriter(c.net),
		tracks: make(map[uint8]Track),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	for _, t := range tracks {
		if err := p.SetTrack(t); err != nil {
			_ = p.w.Close()
			return nil, err
		}
	}
	go p.send()
	return p, nil
}

// NewPublisher dials and publishes.
func NewPublisher(ctx context.Context, socketPath, token string, tracks ...Track) (*Publisher, error) {
	c, err := Dial(ctx, socketPath, token)
	if err != nil {
		return nil, err
	}
	return c.Publisher(tracks...)
}

// SetTrack describes a track before its first unit, or again when its parameter sets
// have changed. A Generation of 0 is counted up by the publisher.
func (p *Publisher) SetTrack(t Track) error {
	if t.ClockRate == 0 || t.Kind == "" || t.Codec == "" {
		return fmt.Errorf("media publisher: track %d: %w: kind, codec and clock rate are needed", t.ID, ErrConfig)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return err
	}
	if t.Generation == 0 {
		t.Generation = p.tracks[t.ID].Generation + 1
	}
	p.tracks[t.ID] = t
	p.q.track(t)
	p.signal()
	return nil
}

// Write hands u over; u and its data must not change from now on. The generation on the
// wire is the track's; where a track is not Reordered its DTS is the PTS; a zero Wall is now.
// All tracks of a publisher count PTS from the same moment.
func (p *Publisher) Write(ctx context.Context, u *Unit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(u.Data) > MaxUnit {
		return fmt.Errorf("media publisher: unit of track %d: %w: %d bytes, at most %d", u.Track, ErrTooBig, len(u.Data), MaxUnit)
	}
	c := *u
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return err
	}
	t, ok := p.tracks[u.Track]
	if !ok && u.Track != ImageTrack {
		return fmt.Errorf("media publisher: %w: track %d", ErrNoConfig, u.Track)
	}
	c.Generation = t.Generation
	if !t.Reordered {
		c.DTS = c.PTS
	}
	if c.Wall.IsZero() {
		c.Wall = time.Now()
	}
	if !p.q.unit(&c, t.Kind) {
		p.stats.Dropped++
	}
	for p.q.bytes > queueBytes || len(p.q.items) > queueUnits {
		n, gop := p.q.drop()
		p.stats.Dropped += uint64(n)
		if gop {
			p.stats.DroppedGOPs++
		}
	}
	p.signal()
	return nil
}

// Stats of this connection.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.QueuedBytes, s.Discontinuity = p.q.bytes, p.q.marks
	return s
}

// Done is closed when nothing more can be sent; Err says why.
func (p *Publisher) Done() <-chan struct{} { return p.done }

// Err is why the connection ended; nil while it lives and after Close.
func (p *Publisher) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close sends what is queued, at most for 2 s, says that it was the end, and closes.
func (p *Publisher) Close() error {
	p.mu.Lock()
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	if already {
		<-p.done
		return nil
	}
	p.signal()
	select {
	case <-p.done:
	case <-time.After(closeGrace):
	}
	err := p.w.Close() // frees a sender that still waits
	<-p.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Publisher) usable() error {
	switch {
	case p.err != nil:
		return p.err
	case p.closed:
		return fmt.Errorf("media publisher: %w", net.ErrClosed)
	}
	return nil
}

func (p *Publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// send is the goroutine that owns the socket's sending side.
func (p *Publisher) send() {
	defer close(p.done)
	for {
		select {
		case <-p.wake:
		case <-p.w.Done():
		}
		if ended, err := p.drain(); err != nil || ended {
			p.mu.Lock()
			if err != nil && !p.closed {
				p.err = err
			}
			p.q = outbox{}
			p.mu.Unlock()
			_ = p.w.conn.Close()
			return
		}
	}
}

// drain sends until the queue is empty. Only what fits the credit leaves the queue, so
// that what waits for credit can still be dropped.
func (p *Publisher) drain() (ended bool, err error) {
	for {
		p.mu.Lock()
		n, err := p.gather()
		next := p.q.nextSize()
		closed := p.closed
		p.mu.Unlock()
		if err != nil {
			return false, err
		}
		if n > 0 {
			if err := p.w.Flush(0); err != nil {
				return false, err
			}
			continue
		}
		if next < 0 {
			if closed {
				p.w.End("")
				return true, p.w.Flush(closeGrace)
			}
			return false, p.w.Err()
		}
		if err := p.w.Wait(context.Background(), next); err != nil {
			return false, err
		}
	}
}

// gather moves what may go now from the queue to the frame writer.
func (p *Publisher) gather() (n int, err error) {
	for p.w.Queued() < flushBytes {
		size := p.q.nextSize()
		if size < 0 || !p.w.Room(size) {
			break
		}
		it := p.q.pop()
		n++
		if it.track != nil {
			if err := p.w.Track(*it.track); err != nil {
				return n, err
			}
			continue
		}
		p.w.Unit(it.unit)
		p.stats.Units++
		p.stats.Bytes += uint64(len(it.unit.Data))
	}
	return n, nil
}

// SendImage dials, hands over one JPEG and closes.
func SendImage(ctx context.Context, socketPath, token string, jpeg []byte, taken time.Time) error {
	p, err := NewPublisher(ctx, socketPath, token)
	if err != nil {
		return err
	}
	werr := p.Write(ctx, &Unit{Track: ImageTrack, Key: true, Wall: taken, Data: jpeg})
	return errors.Join(werr, p.Close())
}
