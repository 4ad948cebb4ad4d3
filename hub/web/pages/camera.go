package pages

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// cameraRows are as many of its events as a camera's page lists.
const cameraRows = 6

// lookTime is the most that a fresh look at a camera, or at the whole house, may take.
const lookTime = 90 * time.Second

type cameraBody struct {
	cameraTile
	Sources  []sourceView
	Hook     *hookView
	HookErr  *api.Problem
	Setting  *setting
	Events   list
	Report   *checksView // what a test found; nil: none was made
	CanTest  bool
	CanRetry bool
	Pushed   bool // its plugin sends the picture itself

	Elsewhere *elsewhere // nil: it has no picture
}

// Tile is the camera without its page.
func (b cameraBody) Tile() cameraTile { return b.cameraTile }

type hookView struct {
	api.Hook
	Curl string
}

// setting is where in the config an entry stands.
type setting struct {
	File   string // short
	Line   int
	Anchor string
	Lines  []sourceLine
}

func (p *pages) camera(w http.ResponseWriter, r *http.Request) {
	c, ok := p.rooms.Cameras.Camera(r.PathValue("id"))
	if !ok {
		p.missing(w, r)
		return
	}
	p.showCamera(w, r, http.StatusOK, c, nil, nil)
}

// showCamera with what was found by a test, or with what came of a wish for a stream
// password, if there was one.
func (p *pages) showCamera(w http.ResponseWriter, r *http.Request, status int, c api.Camera, report *checksView, made *madeStream) {
	who, _ := access.From(r.Context())
	body := cameraBody{
		cameraTile: p.tile(c, false), Sources: p.sourceViews(c), Setting: p.setting(c.ID),
		Events: p.lately(r.Context(), c.ID), Report: report,
	}
	if !c.Button {
		body.Elsewhere = p.elsewhere(r, c, made)
	}
	body.Pushed = len(c.Sources) > 0 && c.Sources[0].State == "pushed"
	if p.rooms.Sources != nil && !c.Button {
		body.CanTest = who.Role.Allows(access.RoleMember)
		for _, s := range body.Sources {
			body.CanRetry = body.CanRetry || s.Retryable()
		}
	}
	if p.rooms.Hooks != nil && who.Role.Allows(access.RoleAdmin) && (c.Button || c.Kind == "doorbell") {
		hook, err := p.rooms.Hooks.Hook(r.Context(), c.ID)
		if err != nil {
			body.HookErr = api.Describe(err)
		} else {
			hook.URL = absolute(r, hook.URL)
			body.Hook = &hookView{Hook: hook, Curl: "curl -X POST " + quoted(hook.URL)}
		}
	}
	p.show(w, r, status, "camera", frame{Title: c.Name, Nav: "home", Body: body})
}

// absolute gives an address of the hub with its host, as whoever rings needs it.
func absolute(r *http.Request, u string) string {
	if !strings.HasPrefix(u, "/") {
		return u
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + u
}

// quoted for a shell, where that is needed.
func quoted(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/[]@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// lately is what happened at one camera.
func (p *pages) lately(ctx context.Context, id string) list {
	events, err := p.rooms.Events.Events(ctx, api.EventQuery{Camera: id, Types: shown(), Limit: 40})
	if err != nil {
		return list{Err: api.Describe(err)}
	}
	return listOf(events, cameraRows)
}

func listOf(events []event.Event, most int) list {
	var l list
	for _, e := range events {
		if one, ok := rowOf(e); ok && len(l.Rows) < most {
			l.Rows = append(l.Rows, one)
		}
	}
	return l
}

// setting finds a camera's entry in the files, or nothing.
func (p *pages) setting(id string) *setting {
	for n, f := range p.rooms.Config.Files() {
		first, last := entry(f.Text, "cameras", id)
		if first == 0 {
			continue
		}
		s := &setting{File: f.Name, Line: first, Anchor: anchor(n, first)}
		if s.File == "" {
			s.File = filepath.Base(f.Path)
		}
		for i, text := range strings.Split(f.Text, "\n")[first-1 : last] {
			s.Lines = append(s.Lines, sourceLine{Number: first + i, Text: text})
		}
		return s
	}
	return nil
}

// entry gives the first and last line of the key id below a section at the margin, as
// block YAML has it; zeros where it is not found. An entry in braces is one line.
func entry(text, section, id string) (first, last int) {
	lines := strings.Split(text, "\n")
	inside, depth := false, 0 // depth of the section's own keys; 0: none was seen yet
	for i, line := range lines {
		bare := strings.TrimLeft(line, " ")
		indent := len(line) - len(bare)
		if bare == "" || strings.HasPrefix(bare, "#") {
			continue
		}
		switch {
		case first > 0 && indent <= depth:
			return first, last
		case first > 0:
			last = i + 1
		case indent == 0:
			inside, depth = keyIs(bare, section), 0
			if inside && strings.Contains(bare, "{") && strings.Contains(bare, id+":") {
				return i + 1, i + 1
			}
		case inside && (depth == 0 || indent == depth):
			depth = indent
			if keyIs(bare, id) {
				first, last = i+1, i+1
			}
		}
	}
	return first, last
}

func keyIs(line, key string) bool {
	for _, form := range []string{key, `"` + key + `"`, "'" + key + "'"} {
		if rest, ok := strings.CutPrefix(line, form); ok && strings.HasPrefix(strings.TrimLeft(rest, " "), ":") {
			return true
		}
	}
	return false
}

// --- what the buttons do ---

func (p *pages) retry(w http.ResponseWriter, r *http.Request) {
	p.onCamera(w, r, access.RoleMember, p.rooms.Sources != nil, func(c api.Camera) error {
		return p.rooms.Sources.Retry(r.Context(), c.ID)
	})
}

func (p *pages) renewHook(w http.ResponseWriter, r *http.Request) {
	p.onCamera(w, r, access.RoleAdmin, p.rooms.Hooks != nil, func(c api.Camera) error {
		_, err := p.rooms.Hooks.Renew(r.Context(), c.ID)
		return err
	})
}

// onCamera does one thing with a camera and leads back to its page.
func (p *pages) onCamera(w http.ResponseWriter, r *http.Request, need access.Role, can bool, do func(api.Camera) error) {
	if !p.may(w, r, need) {
		return
	}
	c, ok := p.rooms.Cameras.Camera(r.PathValue("id"))
	if !ok || !can {
		p.missing(w, r)
		return
	}
	if err := do(c); err != nil {
		p.oops(w, r, err)
		return
	}
	http.Redirect(w, r, "/cameras/"+c.ID, http.StatusSeeOther)
}

// test looks at the camera afresh and shows what was found.
func (p *pages) test(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	c, ok := p.rooms.Cameras.Camera(r.PathValue("id"))
	if !ok || p.rooms.Sources == nil {
		p.missing(w, r)
		return
	}
	ctx, cancel := looking(w, r)
	defer cancel()
	report, err := p.rooms.Sources.Test(ctx, c.ID)
	if err != nil {
		p.oops(w, r, err)
		return
	}
	p.showCamera(w, r, http.StatusOK, c, p.checks(report.Checks), nil)
}

// looking gives a long answer the time that it may need.
func looking(w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc) {
	// A server that knows no deadlines has its own.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lookTime + 10*time.Second))
	return context.WithTimeout(r.Context(), lookTime)
}
