package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// fanEvery is a camera of 25 pictures a second.
const fanEvery = 40 * time.Millisecond

// fan is the floor of live viewing: one buffer of so many bytes, written to each
// viewer that is connected, 25 times a second.
func fan(ctx context.Context, bytes string) error {
	size, err := strconv.Atoi(bytes)
	if err != nil {
		return fmt.Errorf("fan: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("fan: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Println(l.Addr())
	var mu sync.Mutex
	viewers := map[net.Conn]bool{}
	go func() { // ends when the listener closes
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			viewers[c] = true
			mu.Unlock()
		}
	}()
	tick := time.NewTicker(fanEvery)
	defer tick.Stop()
	frame := make([]byte, size)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		mu.Lock()
		for c := range viewers {
			if _, err := c.Write(frame); err != nil {
				c.Close()
				delete(viewers, c)
			}
		}
		mu.Unlock()
	}
}
