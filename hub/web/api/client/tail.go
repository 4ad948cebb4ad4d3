package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

const (
	// maxMessage bounds one message of the stream; hello with a big house is the longest.
	maxMessage = 8 << 20
	// again is how long to wait before connecting anew, while the hub restarts.
	again = 500 * time.Millisecond
)

// Message is one message of the live stream; its types are listed with the API.
type Message struct {
	ID   string
	Type string
	Data json.RawMessage
}

// Tail follows what happens, with what happened after that seq first (0: from now). It
// connects again by itself, without a gap, until ctx ends or the hub refuses. An error
// is the last thing that it yields.
func (c *Client) Tail(ctx context.Context, after uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		last := strconv.FormatUint(after, 10)
		for ctx.Err() == nil {
			res, err := c.send(ctx, http.MethodGet, "/events/stream", nil, http.Header{"Last-Event-Id": {last}})
			var refused *api.Problem
			if errors.As(err, &refused) {
				yield(Message{}, err)
				return
			}
			if err == nil {
				goOn := read(res.Body, &last, yield)
				res.Body.Close()
				if !goOn {
					return
				}
			}
			select {
			case <-time.After(again):
			case <-ctx.Done():
			}
		}
	}
}

// read yields the messages of one connection; false when the taker has enough.
func read(body io.Reader, last *string, yield func(Message, error) bool) (goOn bool) {
	for m, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: maxMessage}) {
		if err != nil {
			return true // the connection ended; the next one goes on from last
		}
		if m.LastEventID != "" {
			*last = m.LastEventID
		}
		if !yield(Message{ID: m.LastEventID, Type: m.Type, Data: json.RawMessage(m.Data)}, nil) {
			return false
		}
	}
	return true
}

// TailEvents is Tail for the events alone, hops included.
func (c *Client) TailEvents(ctx context.Context, after uint64) iter.Seq2[api.StreamEvent, error] {
	return func(yield func(api.StreamEvent, error) bool) {
		for m, err := range c.Tail(ctx, after) {
			var e api.StreamEvent
			if err == nil && m.Type != "event" && m.Type != "hop" {
				continue
			}
			if err == nil {
				err = json.Unmarshal(m.Data, &e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
