package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

func (v *view) header(want part.View) http.Header {
	h := http.Header{}
	for key, value := range want.Header {
		h.Set(key, value)
	}
	return h
}

// mse counts every fragment's pictures; who sends them begins with a key frame.
func (v *view) mse(ctx context.Context, want part.View) error {
	c, _, err := websocket.Dial(ctx, want.URL, &websocket.DialOptions{HTTPHeader: v.header(want)})
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }() // nothing is kept
	c.SetReadLimit(64 << 20)
	if want.Hello != "" {
		if err := c.Write(ctx, websocket.MessageText, []byte(want.Hello)); err != nil {
			return err
		}
	}
	buf := make([]byte, 256<<10)
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		n := 0
		for {
			if n == len(buf) {
				buf = append(buf, make([]byte, len(buf))...)
			}
			m, err := r.Read(buf[n:])
			n += m
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
		if kind == websocket.MessageText {
			if text := string(buf[:n]); strings.Contains(text, `"cannot"`) || strings.Contains(text, `"error"`) {
				return errors.New(text)
			}
			continue
		}
		v.took(n, 0)
		part.Stamps(buf[:n], func(s part.Stamp) { v.picture(s, true) })
	}
}

// mp4 looks for the pictures in one long answer.
func (v *view) mp4(ctx context.Context, want part.View) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, want.URL, nil)
	if err != nil {
		return err
	}
	req.Header = v.header(want)
	way := &http.Transport{DisableKeepAlives: true, DisableCompression: true, ReadBufferSize: 256 << 10}
	defer way.CloseIdleConnections()
	res, err := way.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	buf, n := make([]byte, 256<<10), 0
	for {
		m, err := res.Body.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		v.took(m, 0)
		end := part.Stamps(buf[:n], func(s part.Stamp) { v.picture(s, true) })
		end = max(end, n-part.StampLen+1) // what a stamp may still begin in
		n = copy(buf, buf[end:n])
	}
}
