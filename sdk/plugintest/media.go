package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// media is the kit's media.sock: it takes what a plugin pushes and counts it.
type media struct {
	listener net.Listener

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	last    int
	tokens  map[string]string // token to "camera/stream"
	pushed  map[string][]*av.Unit
	tracks  map[string][]av.Track
	images  map[string]*av.Unit // by token
	bad     []string
	talks   map[string]talk
	conns   map[net.Conn]bool
	wg      sync.WaitGroup
}

// keepUnits of a stream are kept, the newest: ten seconds of pictures and two sounds, so that
// a slow test still sees the first.
const keepUnits = 1024

func listenMedia(dir string) (*media, error) {
	l, err := net.Listen("unix", filepath.Join(dir, "media.sock"))
	if err != nil {
		return nil, fmt.Errorf("media.sock: %w", err)
	}
	m := &media{
		listener: l, changed: make(chan struct{}), tokens: make(map[string]string), pushed: make(map[string][]*av.Unit),
		tracks: make(map[string][]av.Track), images: make(map[string]*av.Unit), conns: make(map[net.Conn]bool),
		talks: make(map[string]talk),
	}
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns[c] = true
			m.mu.Unlock()
			m.wg.Go(func() { m.serve(c) })
		}
	})
	return m, nil
}

func (m *media) close() {
	_ = m.listener.Close()
	m.mu.Lock()
	for c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// token lets one connection in, to push the stream.
func (m *media) token(camera, stream string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	t := "token-" + strconv.Itoa(m.last)
	m.tokens[t] = camera + "/" + stream
	return t
}

// talk is speech that waits for the plugin to come for it.
type talk struct {
	track av.Track
	conn  chan *av.FrameWriter // of size 1: one connection a token
}

// talkToken lets one connection in, to read speech.
func (m *media) talkToken(t av.Track) (string, <-chan *av.FrameWriter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	token, c := "talk-"+strconv.Itoa(m.last), make(chan *av.FrameWriter, 1)
	m.talks[token] = talk{t, c}
	return token, c
}

// speak gives the connection to Hub.Talk if the token is one of speech.
func (m *media) speak(c net.Conn, token string) bool {
	m.mu.Lock()
	t, ok := m.talks[token]
	delete(m.talks, token)
	m.mu.Unlock()
	if !ok {
		return false
	}
	if av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Read, Rendition: "copy", Tracks: []av.Track{t.track}}) != nil {
		return true
	}
	w := av.NewFrameWriter(c)
	if w.Track(t.track) == nil {
		t.conn <- w
		<-w.Done()
	}
	return true
}

func (m *media) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		m.mu.Lock()
		delete(m.conns, c)
		m.mu.Unlock()
	}()
	token, err := av.ReadHello(c)
	if err != nil {
		m.complain("hello: %v", err)
		return
	}
	if m.speak(c, token) {
		return
	}
	m.mu.Lock()
	name, ok := m.tokens[token]
	delete(m.tokens, token)
	m.mu.Unlock()
	if !ok {
		_ = av.WriteAnswer(c, av.StatusRefused, av.Answer{Reason: "token unknown or used"})
		return
	}
	if err := av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Publish}); err != nil {
		return
	}
	r := av.NewFrameReader(c, c)
	for {
		f, err := r.Next()
		switch {
		case err != nil || f.End:
			// Who closes with credits unread resets the connection; that is no more than an end.
			if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				m.complain("stream %s: %v", name, err)
			}
			return
		case f.Track != nil:
			m.note(func() { m.tracks[name] = append(m.tracks[name], *f.Track) })
		case f.Unit.Track == av.ImageTrack:
			m.note(func() { m.images[token] = f.Unit })
		default:
			m.note(func() {
				us := append(m.pushed[name], f.Unit)
				m.pushed[name] = us[max(0, len(us)-keepUnits):]
			})
		}
	}
}

// image waits for the picture under a token: the answer, which takes another way, may be here before it.
func (m *media) image(ctx context.Context, token string) (*av.Unit, error) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for {
		m.mu.Lock()
		u, changed := m.images[token], m.changed
		m.mu.Unlock()
		if u != nil {
			return u, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *media) complain(format string, args ...any) {
	m.note(func() { m.bad = append(m.bad, fmt.Sprintf(format, args...)) })
}

func (m *media) note(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}
