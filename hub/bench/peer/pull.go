package main

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// pull reads RTSP streams over TCP and throws them away: the floor of pulling, and a
// watcher that costs nothing. It tells once, when all of them have begun.
func pull(ctx context.Context, urls []string) error {
	var all sync.WaitGroup
	begun := make(chan struct{}, len(urls)) // each once
	ended := make(chan error, len(urls))    // each once
	for _, u := range urls {
		all.Go(func() { ended <- pullOne(ctx, u, func() { begun <- struct{}{} }) })
	}
	defer all.Wait()
	for range urls {
		select {
		case <-begun:
		case err := <-ended:
			return err
		}
	}
	fmt.Println("pulling")
	<-ctx.Done()
	return nil
}

func pullOne(ctx context.Context, address string, begun func()) error {
	d, err := dialRTSP(address, "", "")
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	defer d.conn.Close()
	stop := context.AfterFunc(ctx, func() { d.conn.Close() })
	defer stop()
	if err := d.setup(interleaved); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	if err := d.play(); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	if _, err := d.in.ReadByte(); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	begun()
	_, err = io.Copy(io.Discard, d.in)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("pull %s: ended: %w", address, err)
}
