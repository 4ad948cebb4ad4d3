package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// Problem is an error as the API tells it (RFC 9457), with a code that
// GET /explain/{code} has a text for.
type Problem struct {
	Type    string  `json:"type"`
	Title   string  `json:"title"`
	Status  int     `json:"status"`
	ErrCode string  `json:"code"`
	Detail  string  `json:"detail,omitempty"`
	ErrHint string  `json:"hint,omitempty"`
	Errors  []Fault `json:"errors,omitempty"`
	// RetryAfter is the whole seconds to wait, sent as a header too.
	RetryAfter int `json:"retry_after,omitempty"`
	// Who and Since are of whoever stands in the way.
	Who   string    `json:"who,omitempty"`
	Since time.Time `json:"since,omitzero"`

	cause error // logged, never sent
}

// Fault is one thing wrong with a request, or with the config at one place of a file.
type Fault struct {
	Path    string `json:"path,omitempty"` // body.for, query.since; or cameras.front_door.source
	Message string `json:"message"`

	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	Severity   string `json:"severity,omitempty"`
	Code       string `json:"code,omitempty"`
	Excerpt    string `json:"excerpt,omitempty"` // secrets masked
	Suggestion string `json:"suggestion,omitempty"`
	Hint       string `json:"hint,omitempty"`
}

func faultOf(c ConfigProblem) Fault {
	return Fault{Path: c.Path, Message: c.Message, File: c.File, Line: c.Line, Column: c.Column, Severity: c.Severity,
		Code: c.Code, Excerpt: c.Excerpt, Suggestion: c.Suggestion, Hint: c.Hint}
}

// ConfigProblem is the fault as one of the config.
func (f Fault) ConfigProblem() ConfigProblem {
	return ConfigProblem{Path: f.Path, Message: f.Message, File: f.File, Line: f.Line, Column: f.Column, Severity: f.Severity,
		Code: f.Code, Excerpt: f.Excerpt, Suggestion: f.Suggestion, Hint: f.Hint}
}

// invalidConfig is the answer about a config that cannot be used: all that is wrong with
// it, warnings too. It is nil where nothing stands in the way.
func invalidConfig(problems []ConfigProblem) *Problem {
	var first *ConfigProblem
	n := 0
	for i := range problems {
		if problems[i].Severity == "error" {
			if n++; first == nil {
				first = &problems[i]
			}
		}
	}
	if first == nil {
		return nil
	}
	p := NewProblem(http.StatusUnprocessableEntity, first.Code, fmt.Sprintf("%s:%d:%d: %s", first.File, first.Line, first.Column, first.Message), first.Hint)
	if n > 1 {
		p.Detail += fmt.Sprintf(" (the first of %d errors)", n)
	}
	for _, c := range problems {
		p.Errors = append(p.Errors, faultOf(c))
	}
	return p
}

func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Code names the problem.
func (p *Problem) Code() string { return p.ErrCode }

// Hint says how to mend it.
func (p *Problem) Hint() string { return p.ErrHint }

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	// RFC 6750 section 3. Browsers ask nobody for a bearer.
	switch {
	case p.ErrCode == access.ErrToken.Code(), p.ErrCode == access.ErrTokenOld.Code():
		h.Set("WWW-Authenticate", `Bearer realm="porchlight", error="invalid_token"`)
	case p.ErrCode == access.ErrScope.Code():
		h.Set("WWW-Authenticate", `Bearer realm="porchlight", error="insufficient_scope"`)
	case p.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="porchlight"`)
	}
	return h
}

// Write answers with the problem, outside huma's routes.
func (p *Problem) Write(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil { // Problem has no field that json refuses
		panic(fmt.Sprintf("api: problem does not encode: %v", err))
	}
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // the peer is gone if this fails
}

// NewProblem makes a problem of the API's own.
func NewProblem(status int, code, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, ErrCode: code, Detail: detail, ErrHint: hint}
}

func notFound(what, id string) *Problem {
	return NewProblem(http.StatusNotFound, "E-API-NOT-FOUND", fmt.Sprintf("%s %.64q is not known", what, id), "")
}

// Describe makes a problem of any error: its code and hint where it has them, and
// nothing of its text where it has none, since that may hold what is not for the wire.
func Describe(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var coded interface {
		error
		Code() string
	}
	var wait interface{ RetryAfter() time.Duration }
	var hint interface{ Hint() string }
	switch {
	case errors.As(err, &coded):
		p = NewProblem(statusOf(coded.Code()), coded.Code(), coded.Error(), "")
		if errors.As(err, &hint) {
			p.ErrHint = hint.Hint()
		}
		if errors.As(err, &wait) {
			p.RetryAfter = int(math.Ceil(wait.RetryAfter().Seconds()))
		}
	case errors.Is(err, ErrNotFound):
		p = NewProblem(http.StatusNotFound, "E-API-NOT-FOUND", strings.TrimSuffix(err.Error(), ": "+ErrNotFound.Error())+" is not known", "")
	case errors.Is(err, context.DeadlineExceeded):
		p = NewProblem(http.StatusGatewayTimeout, "E-API-TIMEOUT", "no answer in time", "")
	case errors.Is(err, context.Canceled):
		p = NewProblem(http.StatusServiceUnavailable, "E-API-STOPPING", "the request was given up, or the hub is stopping", "")
	default:
		p = NewProblem(http.StatusInternalServerError, "E-API-INTERNAL", "the hub could not do this", "The hub's log has the cause.")
	}
	var busy *TalkBusy
	if errors.As(err, &busy) {
		p.Who, p.Since = busy.Name, busy.Since
	}
	p.cause = err
	return p
}

// statusOf a code that a room gave to its error.
func statusOf(code string) int {
	switch code {
	case access.ErrLogin.Code(), access.ErrWrong.Code(), access.ErrToken.Code(), access.ErrTokenOld.Code():
		return http.StatusUnauthorized
	case access.ErrLink.Code(), access.ErrForbidden.Code(), access.ErrScope.Code(), access.ErrCameras.Code(), access.ErrPerson.Code():
		return http.StatusForbidden
	case access.ErrWait.Code():
		return http.StatusTooManyRequests
	case access.ErrWeak.Code(), "E-TOKEN-INVALID":
		return http.StatusUnprocessableEntity
	}
	switch {
	case strings.HasPrefix(code, "E-SNAP-"), strings.HasPrefix(code, "E-CONV-"), strings.HasSuffix(code, "-FULL"):
		return http.StatusServiceUnavailable
	case strings.HasSuffix(code, "-NOT-FOUND"), strings.HasSuffix(code, "-UNKNOWN"):
		return http.StatusNotFound
	case strings.HasSuffix(code, "-TIMEOUT"):
		return http.StatusGatewayTimeout
	case strings.HasSuffix(code, "-NOT-YET"):
		return http.StatusNotImplemented
	}
	// The house is in a state that does not allow it; the code says which.
	return http.StatusConflict
}

// transform gives huma's own errors (a body that does not fit its schema, a wrong
// method) the shape of ours.
func transform(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := map[int]string{
		http.StatusUnprocessableEntity: "E-API-INVALID", http.StatusBadRequest: "E-API-INVALID",
		http.StatusRequestEntityTooLarge: "E-API-TOO-LARGE", http.StatusRequestTimeout: "E-API-TIMEOUT",
		http.StatusUnsupportedMediaType: "E-API-INVALID", http.StatusNotAcceptable: "E-API-INVALID",
	}[m.Status]
	if code == "" {
		code = "E-API-INTERNAL"
	}
	p := NewProblem(m.Status, code, m.Detail, "")
	for _, e := range m.Errors {
		// The value stays out: it may be a password.
		p.Errors = append(p.Errors, Fault{Path: e.Location, Message: e.Message})
	}
	return p, nil
}
