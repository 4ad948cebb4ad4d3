package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
)

// bare is the floor of a relay: one pull a camera, each picture kept once as it came off
// the wire, one write of it to each reader from the goroutine that pulled it, and the
// pictures since the last key frame at once to who comes. It waits for the slowest, and
// knows no users: a bound, not a product. Cameras are rtsp://ADDRESS/0, /1 and so on.
func bare(ctx context.Context, urls []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	relays := map[string]*bareRelay{}
	var all sync.WaitGroup
	defer all.Wait()
	for i, u := range urls {
		r := &bareRelay{readers: map[*desk]byte{}}
		relays[fmt.Sprint(i)] = r
		d, err := dialRTSP(u, "", "")
		if err != nil {
			return fmt.Errorf("bare: %w", err)
		}
		r.sdp = d.sdp
		if err := d.setup(interleaved); err != nil {
			return fmt.Errorf("bare: %w", err)
		}
		if err := d.play(); err != nil {
			return fmt.Errorf("bare: %w", err)
		}
		stop := context.AfterFunc(ctx, func() { d.conn.Close() })
		defer stop()
		all.Go(func() { _ = d.packets(r.packet) }) // the bench's own cameras go on
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		go func() { // ends with its connection, or the process
			defer c.Close()
			var r *bareRelay
			d := &desk{conn: c}
			d.describe = func(path string) (string, bool) {
				name, _, _ := strings.Cut(path, "/")
				r = relays[name]
				if r == nil {
					return "", false
				}
				return r.sdp, true
			}
			d.played = func(channel byte) { r.join(d, channel) }
			_ = d.serve() // a reader went away
			if r != nil {
				r.mu.Lock()
				delete(r.readers, d)
				r.mu.Unlock()
			}
		}()
	}
}

type bareRelay struct {
	sdp     string
	mu      sync.Mutex
	readers map[*desk]byte
	gop     [][]byte // pictures since the last key frame, as they go out
	picture []byte   // the one that comes in
	key     bool
}

func (r *bareRelay) join(d *desk, channel byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gop := append(net.Buffers(nil), r.gop...) // of channel 0, as all its readers ask for
	_, _ = gop.WriteTo(d.conn)                // a reader that went away is found below
	r.readers[d] = channel
}

func (r *bareRelay) packet(p []byte) error {
	r.picture = append(r.picture, '$', 0, byte(len(p)>>8), byte(len(p)))
	r.picture = append(r.picture, p...)
	if kind := p[12] & 0x1f; kind == 5 || kind == 28 && p[13]&0x1f == 5 {
		r.key = true
	}
	if p[1]&0x80 == 0 {
		return nil
	}
	whole := append([]byte(nil), r.picture...)
	r.picture = r.picture[:0]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.key {
		r.gop, r.key = nil, false
	}
	r.gop = append(r.gop, whole)
	for d := range r.readers {
		if _, err := d.conn.Write(whole); err != nil {
			delete(r.readers, d)
		}
	}
	return nil
}
