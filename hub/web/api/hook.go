package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	// HookPath is where hooks are, on the root: the token follows.
	HookPath = "/hooks/"
	// hookBody bounds what a relay sends along, which nobody reads; in bytes.
	hookBody = 4 << 10
)

// Hooked names the ring that a hook made.
type Hooked struct {
	Event string `json:"event"`
}

// ServeHook is POST /hooks/{token}. Whoever has the URL rings; all tokens that are
// nobody's get one and the same answer, and no token is ever logged.
func (a *API) ServeHook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		NewProblem(http.StatusMethodNotAllowed, "E-HOOK-METHOD", "a hook is rung by POST, so that looking at its address rings nobody",
			"curl -X POST followed by the address.").Write(w)
		return
	}
	// Before the token is looked at, so that the size tells nothing of it.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, hookBody)); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			NewProblem(http.StatusRequestEntityTooLarge, "E-API-TOO-LARGE", "a hook takes a body of at most 4 KiB, and reads none", "").Write(w)
			return
		}
		NewProblem(http.StatusBadRequest, "E-API-INVALID", "the body did not arrive whole", "").Write(w)
		return
	}
	// A relay that hangs up at once has pressed all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callTime)
	defer cancel()
	id, err := a.ringHook(ctx, strings.TrimPrefix(r.URL.Path, HookPath))
	if errors.Is(err, ErrNotFound) {
		if a.Guessed != nil {
			if p := a.Guessed(r); p != nil {
				p.Write(w)
				return
			}
		}
		NewProblem(http.StatusNotFound, "E-HOOK-UNKNOWN", "there is no such hook", "Copy the address anew from the camera's page.").Write(w)
		return
	}
	if err != nil {
		p := Describe(err)
		a.Log.Warn("a hook could not ring", "code", p.Code(), "err", err)
		p.Write(w)
		return
	}
	writeJSON(w, http.StatusAccepted, Hooked{id})
}

func (a *API) ringHook(ctx context.Context, token string) (string, error) {
	if a.Rooms.Hooks == nil {
		return "", ErrNotFound
	}
	return a.Rooms.Hooks.Ring(ctx, token)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		Describe(err).Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the peer is gone if this fails
}
