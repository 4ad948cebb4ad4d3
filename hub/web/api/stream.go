package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

const (
	// beat keeps proxies and radios awake, and finds readers that are gone.
	beat = 15 * time.Second
	// replayMost bounds what a reader that comes back is sent of what it missed.
	replayMost = 500
	// retry is how long a browser waits before it connects again.
	retry = 2 * time.Second
	// ahead is how many events one stream may hold for its reader; then the feed skips.
	ahead = 64
)

// live is one open stream. Its loop is the only one that writes.
type live struct {
	*API
	id   access.Identity
	w    *lastingWriter
	buf  bytes.Buffer
	from uint64 // newest seq at the begin
	// replayed holds the ids sent from the journal: the feed, subscribed to before, may
	// bring some of them again. At most replayMost.
	replayed map[string]struct{}
	// sent is the JSON of each list as sent last, by message type.
	sent    map[string][]byte
	skipped uint64
}

// stream is GET /events/stream: what happens, as server-sent events (WHATWG HTML 9.2).
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	if p := a.may(r.Context(), ofCamera(access.ScopeView)); p != nil {
		p.Write(w)
		return
	}
	changed, leave, ok := a.streams.join(r.Context())
	if !ok {
		p := NewProblem(http.StatusTooManyRequests, "E-API-STREAMS-FULL", fmt.Sprintf("%d live streams are open already", maxStreams), "Close a few browser windows.")
		p.RetryAfter = int(beat.Seconds())
		p.Write(w)
		return
	}
	defer leave()
	newest := a.Rooms.Feed.LastSeq() // before subscribing, so that nothing falls between
	sub, err := a.Rooms.Feed.Subscribe()
	if err != nil {
		Describe(err).Write(w)
		return
	}
	defer sub.Close()
	listener, err := a.Rooms.Sounds.Listen()
	if err != nil {
		Describe(err).Write(w)
		return
	}
	defer listener.Close()
	id, _ := access.From(r.Context())
	l := &live{API: a, id: id, w: lasting(w), from: newest, sent: map[string][]byte{}, replayed: map[string]struct{}{}}
	l.serve(r, changed, sub, listener)
}

func (l *live) serve(r *http.Request, changed <-chan struct{}, sub Subscription, listener Listener) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	h := l.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy before us must not collect
	l.w.WriteHeader(http.StatusOK)
	if err := l.begin(ctx, resumeAt(r)); err != nil {
		return
	}
	deliveries := make(chan event.Delivery, ahead)
	sounds := make(chan Sound, 1) // the room has a queue of its own
	var pumps sync.WaitGroup
	defer pumps.Wait()
	defer cancel()
	pumps.Go(func() { pump(ctx, sub.Next, deliveries) })
	pumps.Go(func() { pump(ctx, listener.Next, sounds) })
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-l.streams.ended:
			_ = l.message("", "bye", bye{"the hub is stopping"})
			_ = l.flush()
			return
		case d, ok := <-deliveries:
			if !ok {
				return // the bus is gone; the browser comes back
			}
			err = l.delivery(d, sub)
		case s, ok := <-sounds:
			if !ok {
				sounds = nil
				continue
			}
			if l.id.Everywhere() {
				err = l.message("", "sound", s)
			}
		case <-changed:
			err = l.look(ctx)
		case <-ticker.C:
			l.buf.WriteString(": beat\n\n")
			err = l.look(ctx)
		}
		if err == nil {
			err = l.flush()
		}
		if err != nil {
			return // the reader is gone
		}
	}
}

// errOver: the session that opened the stream has ended.
var errOver = errors.New("stream: session ended")

// look sends what has changed, if the asker may still see it.
func (l *live) look(ctx context.Context) error {
	if l.Access.Valid(ctx, l.id) {
		return l.lists()
	}
	_ = l.message("", "bye", bye{"session"})
	_ = l.flush() // the stream ends either way
	return errOver
}

type bye struct {
	Reason string `json:"reason"`
}

type gap struct {
	Skipped uint64 `json:"skipped"` // 0: not known how many
}

// pump brings what next gives into a channel, which it closes at the first error.
func pump[T any](ctx context.Context, next func(context.Context) (T, error), to chan<- T) {
	defer close(to)
	for {
		v, err := next(ctx)
		if err != nil {
			return
		}
		select {
		case to <- v:
		case <-ctx.Done():
			return
		}
	}
}

// resumeAt reads after which seq the reader wants to go on; 0: from now.
func resumeAt(r *http.Request) uint64 {
	for _, s := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// begin sends how things are, and what the reader missed since it was here last.
func (l *live) begin(ctx context.Context, after uint64) error {
	fmt.Fprintf(&l.buf, "retry: %d\n\n", retry.Milliseconds())
	hello := Hello{
		Seq: after, Version: l.Version, Now: l.Now(),
		Cameras: seen(l.id, l.Rooms.Cameras.Cameras()),
		Plugins: []Plugin{}, Chimes: []Chime{}, Config: ConfigState{Problems: []ConfigProblem{}}, Cards: []Card{},
	}
	if l.id.Everywhere() {
		hello.Plugins, hello.Chimes = filled(l.Rooms.Plugins.Plugins()), filled(l.Rooms.Chimes.Chimes())
		hello.Quiet, hello.Config, hello.Cards = l.Rooms.Chimes.Quiet(), l.configSeen(), l.cards()
	}
	back := after != 0 && after <= l.from
	// A reader from another life of the journal may know a seq that is not reached yet.
	if !back {
		hello.Seq = l.from
	}
	if err := l.message(strconv.FormatUint(hello.Seq, 10), "hello", hello); err != nil {
		return err
	}
	l.remember("cameras", still(hello.Cameras))
	l.remember("plugins", pluginList{hello.Plugins})
	l.remember("chimes", chimesOnly{hello.Chimes})
	l.remember("quiet", hello.Quiet)
	l.remember("cards", cardList{hello.Cards})
	l.remember("config", hello.Config)
	if back {
		if err := l.replay(ctx, after); err != nil {
			return err
		}
	}
	return l.flush()
}

// replay sends what the journal has after the seq, oldest first.
func (l *live) replay(ctx context.Context, after uint64) error {
	missed, err := seenEvents{l.Rooms.Events, l.id}.Events(ctx, EventQuery{Limit: replayMost + 1})
	if err != nil {
		l.Log.Warn("replay not possible", "err", err)
		return l.message("", "gap", gap{})
	}
	if len(missed) > replayMost && missed[replayMost].Seq > after {
		if err := l.message("", "gap", gap{}); err != nil {
			return err
		}
		missed = missed[:replayMost]
	}
	for i := len(missed) - 1; i >= 0; i-- {
		e := &missed[i]
		if e.Seq <= after {
			continue
		}
		age := l.Now().Sub(e.Received)
		if err := l.event(event.Delivery{Event: *e, Age: max(0, age), Replay: true}); err != nil {
			return err
		}
		l.replayed[e.ID] = struct{}{}
	}
	return nil
}

func (l *live) delivery(d event.Delivery, sub Subscription) error {
	// A feed begins with the latest of each state, which the lists of hello told already.
	if d.Event.Class() == event.ClassState && d.Event.Seq <= l.from {
		return nil
	}
	if n := sub.Skipped(); n > l.skipped {
		left := n - l.skipped
		l.skipped = n
		if err := l.message("", "gap", gap{left}); err != nil {
			return err
		}
	}
	if err := l.event(d); err != nil {
		return err
	}
	switch d.Event.Type {
	case event.TypeOnline, event.TypeStatus, event.TypePlugin, event.TypeSystem, event.TypeQuiet:
		return l.lists()
	}
	return nil
}

func (l *live) event(d event.Delivery) error {
	e := &d.Event
	if _, again := l.replayed[e.ID]; again || e.Class() == event.ClassDebug || !sees(l.id, e.Camera) {
		return nil
	}
	kind := "event"
	if e.Type == event.TypeHop {
		kind = "hop"
	}
	id := ""
	if e.Seq != 0 {
		id = strconv.FormatUint(e.Seq, 10)
	}
	return l.message(id, kind, StreamEvent{Event: FromEvent(e), Replay: d.Replay, AgeMS: d.Age.Milliseconds()})
}

type chimesOnly struct {
	Chimes []Chime `json:"chimes"`
}

// lists sends each list that differs from what was sent last.
func (l *live) lists() error {
	all := seen(l.id, l.Rooms.Cameras.Cameras())
	cameras := l.changed("cameras", still(all), cameraList{all})
	if !l.id.Everywhere() {
		return cameras
	}
	return errors.Join(
		cameras,
		l.list("plugins", pluginList{filled(l.Rooms.Plugins.Plugins())}),
		l.list("chimes", chimesOnly{filled(l.Rooms.Chimes.Chimes())}),
		l.list("quiet", l.Rooms.Chimes.Quiet()),
		l.list("config", l.configSeen()),
		l.list("cards", cardList{l.cards()}),
	)
}

func (l *live) list(kind string, v any) error { return l.changed(kind, v, v) }

// changed sends v where what matters of it differs from the last time.
func (l *live) changed(kind string, matters, v any) error {
	before := l.sent[kind]
	if l.remember(kind, matters); bytes.Equal(before, l.sent[kind]) {
		return nil
	}
	return l.message("", kind, v)
}

// configSeen is the config as the reader may see it: without its lines, unless the
// reader may read the config.
func (l *live) configSeen() ConfigState {
	state := l.configState()
	if !l.id.May(access.ScopeConfig) {
		state.File, state.Problems, state.Plan = "", []ConfigProblem{}, nil
	}
	return state
}

// still is cameras without the figures that never stand still: open pages fetch anew
// what is told as changed. Who wants the figures asks for them.
func still(all []Camera) []Camera {
	out := slices.Clone(all)
	for i := range out {
		if out[i].Online {
			out[i].LastSeen = time.Time{}
		}
		out[i].Sources = slices.Clone(out[i].Sources)
		for j := range out[i].Sources {
			s := &out[i].Sources[j]
			s.FPS, s.BitrateKbps, s.GOPMS, s.LastFrameMS, s.RingMS, s.RingBytes = 0, 0, 0, 0, 0, 0
			s.Readers, s.SkippedGOPs, s.Repairs = 0, 0, 0
		}
	}
	return out
}

func (l *live) remember(kind string, v any) {
	if b, err := json.Marshal(v); err == nil {
		l.sent[kind] = b
	}
}

// message adds one to what is sent with the next flush.
func (l *live) message(id, kind string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		// Ending the stream would bring the same message again, for ever: what cannot be
		// said is left out, and the rings behind it are heard.
		l.Log.Error("a message to the pages cannot be encoded", "type", kind, "id", id, "err", err)
		return nil
	}
	m := sse.Message{Type: sse.Type(kind)}
	if id != "" {
		m.ID = sse.ID(id)
	}
	m.AppendData(string(b))
	_, err = m.WriteTo(&l.buf)
	return err
}

func (l *live) flush() error {
	if l.buf.Len() == 0 {
		return nil
	}
	_, err := l.w.Write(l.buf.Bytes())
	l.buf.Reset()
	if err != nil {
		return err
	}
	return l.w.rc.Flush()
}
