package hubtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/media/mse"
)

// login opens the setup link as a browser does and keeps the cookie.
func login(t *testing.T, h *hubtest.Hub) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Jar: jar, Timeout: hubtest.Within}
	res, err := web.Get(h.SetupURL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("setup link: %s", res.Status)
	}
	return web
}

// viewer is a page that watches, without a decoder, until it is closed.
type viewer struct {
	t    *testing.T
	conn *websocket.Conn
	done chan struct{} // closed when the connection ended

	mu       sync.Mutex
	pieces   int // messages with pictures
	last     time.Time
	inits    int
	states   []string // live, offline: …, cannot: …, in order
	lastInit mse.Message
}

// watch opens a stream as the page does; it comes back when the hub has taken it.
func watch(t *testing.T, h *hubtest.Hub, web *http.Client, camera, stream string) *viewer {
	t.Helper()
	url := fmt.Sprintf("%s/api/v1/ws?camera=%s&stream=%s", strings.Replace(h.BaseURL(), "http", "ws", 1), camera, stream)
	open := &http.Client{Jar: web.Jar} // the client's timeout would end the stream
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: open})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(64 << 20)
	v := &viewer{t: t, conn: c, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		cancel()
		v.close()
	})
	go v.read(ctx)
	return v
}

func (v *viewer) close() {
	_ = v.conn.CloseNow() // it may be closed already
	<-v.done
}

func (v *viewer) read(ctx context.Context) {
	defer close(v.done)
	segments := 0 // init segments that are still to come as binary messages
	for {
		kind, b, err := v.conn.Read(ctx)
		if err != nil {
			return
		}
		v.mu.Lock()
		switch {
		case kind == websocket.MessageText:
			var m mse.Message
			if json.Unmarshal(b, &m) != nil {
				v.states = append(v.states, "not JSON: "+string(b))
				break
			}
			switch m.Type {
			case "init":
				segments++
				v.inits++
				v.lastInit = m
			case "jump":
			default:
				v.states = append(v.states, strings.TrimSuffix(m.Type+": "+m.Reason, ": "))
			}
		case segments > 0:
			segments--
		default:
			v.pieces++
			v.last = time.Now()
		}
		v.mu.Unlock()
	}
}

// seen is how many messages with pictures came so far.
func (v *viewer) seen() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pieces
}

// more waits for so many more.
func (v *viewer) more(n int) {
	v.t.Helper()
	was := v.seen()
	hubtest.Eventually(v.t, fmt.Sprintf("%d more pieces of the stream", n), func() bool {
		select {
		case <-v.done:
			v.t.Fatalf("the stream ended after %d pieces; it said %q", v.seen(), v.said())
		default:
		}
		return v.seen() >= was+n
	})
}

// said is what the hub told beside the pictures.
func (v *viewer) said() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.states...)
}

// init is the newest beginning of a SourceBuffer.
func (v *viewer) init() mse.Message {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lastInit
}

// begun is how often a SourceBuffer began.
func (v *viewer) begun() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.inits
}
