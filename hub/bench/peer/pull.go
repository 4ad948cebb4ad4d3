package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
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
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	c, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	in := bufio.NewReaderSize(c, 64<<10)
	cseq, sess := 0, ""
	ask := func(method, url, more string) (textproto.MIMEHeader, []byte, error) {
		cseq++
		if _, err := fmt.Fprintf(c, "%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: bench\r\n%s%s\r\n", method, url, cseq, sess, more); err != nil {
			return nil, nil, err
		}
		text := textproto.NewReader(in)
		line, err := text.ReadLine()
		if err != nil {
			return nil, nil, err
		}
		h, err := text.ReadMIMEHeader()
		if err != nil {
			return nil, nil, err
		}
		if !strings.Contains(line, " 200 ") {
			return nil, nil, errors.New(method + ": " + line)
		}
		n, _ := strconv.Atoi(h.Get("Content-Length"))
		body := make([]byte, min(n, 64<<10))
		_, err = io.ReadFull(in, body)
		return h, body, err
	}
	h, sdp, err := ask("DESCRIBE", address, "Accept: application/sdp\r\n")
	if err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	base := h.Get("Content-Base")
	if base == "" {
		base = address + "/"
	}
	_, media, _ := strings.Cut(string(sdp), "m=video")
	_, control, _ := strings.Cut(media, "a=control:")
	control, _, _ = strings.Cut(control, "\r\n")
	if !strings.HasPrefix(control, "rtsp://") {
		control = strings.TrimSuffix(base, "/") + "/" + control
	}
	if h, _, err = ask("SETUP", control, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	id, _, _ := strings.Cut(h.Get("Session"), ";")
	sess = "Session: " + id + "\r\n"
	if _, _, err = ask("PLAY", base, ""); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	if _, err := in.ReadByte(); err != nil {
		return fmt.Errorf("pull %s: %w", address, err)
	}
	begun()
	_, err = io.Copy(io.Discard, in)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("pull %s: ended: %w", address, err)
}
