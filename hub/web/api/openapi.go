package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// apiVersion is that of the routes and shapes, not of the hub: the document changes when
// they do. A change that breaks whoever uses it needs another Prefix.
const apiVersion = "1.0"

const apiText = "Everything that the hub's pages and its command line do. Whoever asks bears a token (`porchlight tokens new`) or " +
	"the cookie of a session; the command line comes in by the socket in the hub's data folder. Errors are problem+json (RFC 9457) " +
	"with a code, whose text is at /explain/{code}; where they are about the config, each has its file, line and column. " +
	"Times are RFC 3339."

// The two ways to say who asks, by name.
const (
	byToken  = "token"
	byCookie = "session"
)

func newSpec(version string) huma.Config {
	cfg := huma.DefaultConfig("Porchlight", version)
	cfg.Info.Description = apiText
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		byToken:  {Type: "http", Scheme: "bearer", BearerFormat: "plt_…", Description: "The scope that a route needs is listed with it; admin includes all."},
		byCookie: {Type: "apiKey", In: "cookie", Name: cookieName},
	}
	return cfg
}

// security is what a route needs, as OpenAPI says it.
func (d demand) security() []map[string][]string {
	if d.open {
		return []map[string][]string{}
	}
	out := []map[string][]string{{byCookie: {}}}
	if !d.person && !d.owner {
		scopes := []string{}
		if d.scope != "" {
			scopes = append(scopes, string(d.scope))
		}
		out = append(out, map[string][]string{byToken: scopes})
	}
	return out
}

// operation is what all routes have in common.
func (h *house) operation(method, path, summary string, need demand, status int) huma.Operation {
	group, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return huma.Operation{
		OperationID: strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path),
		Method:      method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{group}, Security: need.security(),
		Responses: map[string]*huma.Response{"default": {
			Description: "What is wrong", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: h.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")},
			},
		}},
	}
}

// told describes a route that is no call with JSON, and so is not served by huma. query
// are the names of its parameters, each with what it is for.
func (h *house) told(method, path, summary string, need demand, status int, answers string, query ...[2]string) {
	op := h.operation(method, path, summary, need, status)
	op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status)}
	if answers != "" {
		op.Responses[strconv.Itoa(status)].Content = map[string]*huma.MediaType{answers: {}}
	}
	text := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }
	for _, part := range strings.Split(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			op.Parameters = append(op.Parameters, &huma.Param{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: text()})
		}
	}
	for _, q := range query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: q[0], In: "query", Description: q[1], Schema: text()})
	}
	h.huma.OpenAPI().AddOperation(&op)
}

// tellRest describes what is served beside huma.
func (h *house) tellRest() {
	h.told(http.MethodGet, "/cameras/{id}/snapshot.jpg", "A picture of now, or the last with its age", ofCamera(access.ScopeView), http.StatusOK, "image/jpeg",
		[2]string{"placeholder", "1: where there is no picture, one that says why"})
	h.told(http.MethodGet, "/cameras/{id}/stream.mjpeg", "One picture after the other", ofCamera(access.ScopeView), http.StatusOK, "multipart/x-mixed-replace")
	stream := [2]string{"stream", "main or sub; main, if left out"}
	h.told(http.MethodGet, "/cameras/{id}/stream.mp4", "A film without an end", ofCamera(access.ScopeView), http.StatusOK, "video/mp4",
		stream, [2]string{"sound", "aac, opus or none; aac, if left out and it can be had"}, [2]string{"video", "h264: for a player that takes no H.265"})
	h.told(http.MethodPost, "/cameras/{id}/whep", "Watch by WebRTC (WHEP): an SDP offer in, the answer out; Location is the session's", ofCamera(access.ScopeView), http.StatusCreated, "application/sdp", stream)
	h.told(http.MethodPatch, "/cameras/{id}/whep/{session}", "Candidates, or a restart of ICE, as application/trickle-ice-sdpfrag", ofCamera(access.ScopeView), http.StatusNoContent, "")
	h.told(http.MethodDelete, "/cameras/{id}/whep/{session}", "End a session", ofCamera(access.ScopeView), http.StatusOK, "")
	h.told(http.MethodGet, "/cameras/{id}/talk/{talk}/ws", "The sound of a talk that has no session, by WebSocket", ofCamera(access.ScopeTalk), http.StatusSwitchingProtocols, "")
	h.told(http.MethodGet, "/ws", "Pictures and sound for MediaSource, by WebSocket", ofCamera(access.ScopeView), http.StatusSwitchingProtocols, "",
		[2]string{"camera", "its id"}, stream, [2]string{"sound", "none, or opus where the page can play it in MP4"}, [2]string{"video", "h264: for a page that plays no H.265"})
	h.told(http.MethodGet, "/events/stream", "What happens, as server-sent events", ofCamera(access.ScopeView), http.StatusOK, "text/event-stream",
		[2]string{"after", "go on after this seq, as the header Last-Event-ID says too"})
	h.told(http.MethodGet, "/openapi.json", "This document", signedIn(), http.StatusOK, "application/json")
	h.told(http.MethodPost, HookPath+"{token}", "Ring what the token is for; the body is not read", public(), http.StatusAccepted, "application/json")
	spec := h.huma.OpenAPI()
	hook := spec.Paths[HookPath+"{token}"].Post
	hook.OperationID, hook.Servers = "post-hook", []*huma.Server{{URL: "/"}}
	hook.Responses[strconv.Itoa(http.StatusAccepted)].Content["application/json"].Schema = spec.Components.Schemas.Schema(reflect.TypeFor[Hooked](), true, "Hooked")
	// Huma's own shape of an error is never sent: transform makes ours of it.
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(spec.Components.Schemas.Map(), name)
	}
}

// document is the description in OpenAPI 3.1, the same bytes for the same routes.
func document(spec *huma.OpenAPI) ([]byte, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return append(slices.Clip(out.Bytes()), '\n'), nil
}

// OpenAPI describes the routes for browsers and tokens.
func (a *API) OpenAPI() ([]byte, error) { return a.spec() }

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	if p := a.may(r.Context(), signedIn()); p != nil {
		p.Write(w)
		return
	}
	doc, err := a.spec()
	if err != nil {
		a.Log.Error("the description of the API", "err", err)
		Describe(err).Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc) // the peer is gone if this fails
}
