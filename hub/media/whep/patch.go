package whep

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
)

// restartEvery is how often a session's ICE is restarted at most.
const restartEvery = 500 * time.Millisecond

// tag is the session's ICE, as ETag has it.
func (x *session) tag() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return `"` + x.etag + `"`
}

// patch takes candidates, or restarts ICE with what the browser has chosen.
func (x *session) patch(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, typeFrag)
	if err != nil {
		return err
	}
	f, err := offer.ReadFrag(body)
	if err != nil {
		return offerFault(err)
	}
	x.patching.Lock()
	defer x.patching.Unlock()
	match := r.Header.Get("If-Match")
	ufrag, pwd := offer.Credentials(x.offer)
	again := f.Ufrag != ufrag || f.Pwd != pwd
	switch {
	case match == "":
		return conditionFault(http.StatusPreconditionRequired, "If-Match is missing")
	case match != "*" && match != x.tag():
		return conditionFault(http.StatusPreconditionFailed, "the session's ICE was restarted since")
	case again && match != "*":
		return conditionFault(http.StatusPreconditionFailed, "a restart of ICE is asked for with If-Match: *")
	case again:
		return x.restartICE(w, r, f)
	}
	for _, c := range f.Candidates {
		x.candidate(c)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// candidate tells ICE of an address of the browser. Names of mDNS, and whatever it does
// not take, are no loss: the browser's checks show where they come from.
func (x *session) candidate(c string) {
	if x.told >= offer.MaxCandidates || !offer.Takes(c, x.loopback) {
		return
	}
	x.told++
	if err := x.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
		x.srv.log.Debug("a candidate was not taken", "session", x.id, "err", err)
	}
}

// calm waits until ICE may be restarted again.
func (x *session) calm(ctx context.Context) error {
	wait := time.NewTimer(time.Until(x.restarted.Add(restartEvery)))
	defer wait.Stop()
	select {
	case <-wait.C:
		x.restarted = time.Now()
		return nil
	case <-x.ctx.Done():
		return sessionFault()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restartICE answers with new credentials and the addresses of now.
func (x *session) restartICE(w http.ResponseWriter, r *http.Request, f offer.Frag) error {
	if err := x.calm(r.Context()); err != nil {
		return err
	}
	x.srv.refresh()
	again := offer.WithCredentials(x.offer, f)
	x.told = 0
	answer, err := x.answer(r.Context(), again)
	if err != nil {
		return err
	}
	x.offer = again
	x.mu.Lock()
	x.etag = rand.Text()
	x.mu.Unlock()
	x.stat.restarts.Add(1)
	for _, c := range f.Candidates {
		x.candidate(c)
	}
	h := w.Header()
	h.Set("Content-Type", typeFrag)
	h.Set("ETag", x.tag())
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, offer.FragOf(answer)) // a page that has gone does not connect either
	return nil
}
