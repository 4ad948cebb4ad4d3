package camera

import (
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
	"golang.org/x/time/rate"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
)

// stream is one stream service: at most one viewer at a time. A controller first prepares
// (118 written, then read), then selects (117: start, later others, end). Each step is bound
// to the connection that prepared.
type stream struct {
	cam     *Camera
	number  int // from 1
	service *service.S
	active  *setting
	status  *characteristic.Bytes
	// turns bound how often pictures are opened: a controller that begins and ends without
	// rest would keep the hub from what others ask.
	turns *rate.Limiter

	mu      sync.Mutex
	view    *view                 // nil: free
	over    ended                 // the one before
	answers map[uint64]peerAnswer // what each connection reads of 118
	told    message.Status
}

// peerAnswer is gone with its connection.
type peerAnswer struct {
	peer *server.Peer
	text string
}

// ended is what is remembered of a stream that has ended, so that its end may be said twice.
type ended struct {
	peer    uint64
	session message.Session
}

// newStream makes the n-th service, counted from 0.
func newStream(c *Camera, n int) (*stream, error) {
	s := &stream{cam: c, number: n + 1, answers: make(map[uint64]peerAnswer), turns: rate.NewLimiter(opensPerSecond, opensAtOnce), service: service.New(service.TypeCameraRTPStreamManagement)}
	read, write, events := characteristic.PermissionRead, characteristic.PermissionWrite, characteristic.PermissionEvents
	sizes := newText(characteristic.TypeSupportedVideoStreamConfiguration, *c.offer.Load(), read)
	answering(sizes, func(*http.Request) string { return *c.offer.Load() })
	for _, offered := range []*characteristic.C{
		sizes,
		newText(characteristic.TypeSupportedAudioStreamConfiguration, message.AudioOffer(), read),
		newText(characteristic.TypeSupportedRTPConfiguration, message.CryptoOffer(), read),
	} {
		s.service.AddC(offered)
	}
	selected := newText(characteristic.TypeSelectedRTPStreamConfiguration, message.Idle(), read, write)
	selected.SetValueRequestFunc = s.writer(s.selected)
	answering(selected, s.readSelected)
	prepared := newText(characteristic.TypeSetupEndpoints, message.Nothing(), read, write)
	prepared.SetValueRequestFunc = s.writer(s.prepare)
	answering(prepared, s.readPrepared)
	s.status = &characteristic.Bytes{C: newText(characteristic.TypeStreamingStatus, message.Available.Text(), read, events)}
	s.service.AddC(selected)
	s.service.AddC(prepared)
	s.service.AddC(s.status.C)
	var err error
	if s.active, err = c.keep(newFlag(characteristic.TypeActive), []string{"stream1/active", "stream2/active"}[n], 1); err != nil {
		return nil, err
	}
	s.active.admin = true
	s.active.changed = func() {
		if !s.active.on() {
			s.stop("the stream was switched off in Home")
		}
	}
	s.service.AddC(s.active.c)
	return s, nil
}

// writer hands on what a controller writes, as text and with its connection.
func (s *stream) writer(take func(p *server.Peer, text string) int) func(any, *http.Request) (any, int) {
	return func(v any, r *http.Request) (any, int) {
		text, ok := v.(string)
		p := server.PeerOf(r)
		if !ok || p == nil {
			return nil, statusInvalid
		}
		return nil, take(p, text)
	}
}

// allowed says whether the owner lets Home stream.
func (s *stream) allowed() bool { return s.cam.Active() && s.active.on() && !s.cam.closed.Load() }

// prepare takes in what is written to 118.
func (s *stream) prepare(p *server.Peer, text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allowed() {
		return statusNotAllowed
	}
	e, known, err := message.ParseEndpoints(text)
	if err != nil {
		s.cam.log.Debug("a stream's endpoints are refused", "controller", p.Controller(), "err", err)
		if known {
			s.answer(p, message.Refusal(e.Session, message.Failed))
		}
		return statusInvalid
	}
	// One that it has prepared and not begun makes room: the controller has thought again.
	if v := s.view; v != nil && v.peer == p && !v.started {
		s.drop(v)
		v.session.Close("prepared anew")
	}
	if s.view != nil {
		s.answer(p, message.Refusal(e.Session, message.Busy))
		return statusOK
	}
	if !s.cam.online.Load() {
		s.answer(p, message.Refusal(e.Session, message.Failed))
		return statusOK
	}
	v, answer, err := s.open(p, e)
	if err != nil {
		s.cam.log.Warn("a stream of Home cannot be prepared", "controller", p.Controller(), "err", err)
		s.answer(p, message.Refusal(e.Session, message.Failed))
		return statusOK
	}
	s.view = v
	s.answer(p, answer)
	s.show()
	s.cam.work.Go(func() { s.watch(v) })
	return statusOK
}

// answer is what p reads of 118 from now on; those of connections that are gone are let go. s is locked.
func (s *stream) answer(p *server.Peer, text string) {
	for id, a := range s.answers {
		select {
		case <-a.peer.Done():
			delete(s.answers, id)
		default:
		}
	}
	s.answers[p.ID()] = peerAnswer{p, text}
}

// watch ends a viewer whose connection closes, and lets go of one that has ended by itself.
func (s *stream) watch(v *view) {
	select {
	case <-v.peer.Done():
		s.end(v, "the controller's connection has closed")
	case <-v.session.Done():
	}
	s.end(v, "")
}

// end takes a viewer down, whatever state it is in; nothing of it is left when it returns.
func (s *stream) end(v *view, reason string) {
	s.mu.Lock()
	mine := s.drop(v)
	s.mu.Unlock()
	v.session.Close(reason)
	if mine {
		s.cam.log.Info("a viewer of Home has left", "controller", v.peer.Controller(), "stream", s.number,
			"after", s.cam.o.Now().Sub(v.since).Round(time.Second), "why", v.session.Err())
	}
}

// drop makes the service free if v holds it. s is locked.
func (s *stream) drop(v *view) bool {
	if s.view != v {
		return false
	}
	s.view, s.over = nil, ended{v.peer.ID(), v.id}
	delete(s.answers, v.peer.ID())
	s.show()
	return true
}

// stop ends whoever watches.
func (s *stream) stop(reason string) {
	s.mu.Lock()
	v := s.view
	s.mu.Unlock()
	if v != nil {
		s.end(v, reason)
	}
}

// tell shows the state anew, after something else than a viewer has changed it.
func (s *stream) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show()
}

// show tells those who listen to 120. s is locked.
func (s *stream) show() {
	now := message.Available
	switch {
	case s.view != nil:
		now = message.InUse
	case !s.cam.online.Load():
		now = message.Unavailable
	}
	if now == s.told {
		return
	}
	s.told = now
	if b, err := base64.StdEncoding.DecodeString(now.Text()); err == nil {
		s.status.SetValue(b)
	}
}

// selected takes in what is written to 117.
func (s *stream) selected(p *server.Peer, text string) int {
	sel, err := message.ParseSelected(text)
	if err != nil {
		s.cam.log.Debug("what was selected of a stream is refused", "controller", p.Controller(), "err", err)
		return statusInvalid
	}
	s.mu.Lock()
	v := s.view
	if v == nil || v.peer != p || v.id != sel.Session {
		over := s.over == ended{p.ID(), sel.Session} && sel.Command == message.End
		s.mu.Unlock()
		if over {
			return statusOK
		}
		return statusInvalid
	}
	if sel.Command == message.End {
		s.mu.Unlock()
		s.end(v, "ended by the controller")
		return statusOK
	}
	defer s.mu.Unlock()
	if !s.allowed() {
		return statusNotAllowed
	}
	if err := v.command(sel); err != nil {
		s.cam.log.Debug("a stream does not take a command", "controller", p.Controller(), "command", sel.Command.String(), "err", err)
		return statusNotAllowed
	}
	v.text = text
	return statusOK
}

func (s *stream) readSelected(r *http.Request) string {
	p := server.PeerOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.view; p != nil && v != nil && v.peer == p && v.text != "" && s.allowed() {
		return v.text
	}
	return message.Idle()
}

func (s *stream) readPrepared(r *http.Request) string {
	p := server.PeerOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != nil && s.allowed() {
		if a, ok := s.answers[p.ID()]; ok {
			return a.text
		}
	}
	return message.Nothing()
}
