package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// stamped is a viewer of one of the bench's cameras, without a decoder.
type stamped struct {
	c *websocket.Conn

	begun    bool
	next     uint32 // number of the picture that must follow
	pictures int
	gaps     int   // places where pictures were missing
	late     times // each picture's way from the camera's socket to here; kept while noting
	noting   bool
}

// watchCamera opens a camera of ours as the page does.
func (h *house) watchCamera(ctx context.Context, web *http.Client, camera string) (*stamped, error) {
	c, _, err := websocket.Dial(ctx, strings.Replace(h.base, "http", "ws", 1)+"/api/v1/ws?camera="+camera+"&stream=main", &websocket.DialOptions{HTTPClient: web})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(64 << 20)
	return &stamped{c: c}, nil
}

func (v *stamped) close() { _ = v.c.CloseNow() }

// read takes messages until at least one picture was in them.
func (v *stamped) read(ctx context.Context) error {
	for had := v.pictures; v.pictures == had; {
		kind, b, err := v.c.Read(ctx)
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if kind == websocket.MessageText {
			if text := string(b); strings.Contains(text, `"cannot"`) || strings.Contains(text, `"error"`) {
				return fmt.Errorf("watch: %s", text)
			}
			continue
		}
		at := part.Now()
		part.Stamps(b, func(s part.Stamp) {
			if v.begun && s.Count != v.next {
				v.gaps++
			}
			v.begun, v.next = true, s.Count+1
			v.pictures++
			if v.noting {
				v.late = append(v.late, time.Duration(at-s.At))
			}
		})
	}
	return nil
}

// note reads until ctx ends and keeps what it sees.
func (v *stamped) note(ctx context.Context) error {
	v.noting, v.gaps = true, 0
	for {
		err := v.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
