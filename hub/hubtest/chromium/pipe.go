package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// pipe speaks the Chrome DevTools Protocol: JSON messages that end with a NUL.
type pipe struct {
	out *os.File

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply                       // room for the one answer
	heard   map[string]func(string, json.RawMessage) // by session
	ended   chan struct{}                            // closed when the browser has gone
}

type reply struct {
	result json.RawMessage
	err    error
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

var errGone = errors.New("chromium: the browser has ended")

func newPipe(out *os.File) *pipe {
	return &pipe{out: out, waiting: map[int]chan reply{}, heard: map[string]func(string, json.RawMessage){}, ended: make(chan struct{})}
}

// read runs until the browser closes its end.
func (p *pipe) read(in io.Reader) {
	defer close(p.ended)
	for r := bufio.NewReaderSize(in, 1<<20); ; {
		b, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(b[:len(b)-1], &m) != nil {
			continue // not of the protocol
		}
		p.mu.Lock()
		answer, hear := p.waiting[m.ID], p.heard[m.Session]
		delete(p.waiting, m.ID)
		p.mu.Unlock()
		switch {
		case m.ID == 0 && hear != nil:
			hear(m.Method, m.Params)
		case answer != nil && m.Error != nil:
			answer <- reply{err: fmt.Errorf("chromium: %s (%d)", m.Error.Message, m.Error.Code)}
		case answer != nil:
			answer <- reply{result: m.Result}
		}
	}
}

// call asks the browser, or a page by its session, and reads the answer into a value.
func (p *pipe) call(ctx context.Context, session, method string, params, into any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer := make(chan reply, 1)
	p.mu.Lock()
	p.next++
	id := p.next
	p.waiting[id] = answer
	b, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: raw})
	if err == nil {
		_, err = p.out.Write(append(b, 0))
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.err != nil || into == nil {
			return r.err
		}
		return json.Unmarshal(r.result, into)
	case <-p.ended:
		return errGone
	case <-ctx.Done():
		return fmt.Errorf("chromium: %s: %w", method, ctx.Err())
	}
}
