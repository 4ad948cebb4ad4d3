package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// doctorTime bounds a look at the whole house; a camera that does not answer takes its
// time. It ends before the server gives the answer up.
const doctorTime = 50 * time.Second

// Health is how the house is: what wants a person, what the doctor found when it was
// asked last, and the cameras.
type Health struct {
	Cards   []Card    `json:"cards" nullable:"false"`
	Checks  []Check   `json:"checks" nullable:"false"` // of the last look; empty before one
	Checked time.Time `json:"checked,omitzero"`
	Cameras []Camera  `json:"cameras" nullable:"false"`
}

// Checked is what a look found.
type Checked struct {
	OK     bool      `json:"ok"` // nothing failed
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks" nullable:"false"`
}

// doctor makes one look at a time and keeps what the last whole one found.
type doctor struct {
	turn chan struct{} // size 1: a look loads machine and cameras

	mu   sync.Mutex
	last Checked
}

func (d *doctor) found() Checked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

type doctorIn struct {
	Area []string `query:"area" maxItems:"16" doc:"only these, divided by commas; all if left out" example:"[\"network\",\"cameras\"]"`
}

func (h *house) health() {
	route(h, http.MethodGet, "/health", "How the house is", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[Health], error) {
		last := h.doctor.found()
		return &answer[Health]{Health{Cards: h.cards(), Checks: filled(last.Checks), Checked: last.At, Cameras: filled(h.Rooms.Cameras.Cameras())}}, nil
	})
	routeFor(h, doctorTime, http.MethodPost, "/doctor", "Look at the house and the machine", of(access.ScopeAdmin), http.StatusOK, func(ctx context.Context, in *doctorIn) (*answer[Checked], error) {
		if h.Rooms.Doctor == nil {
			return nil, notYet("the doctor")
		}
		for _, area := range in.Area {
			if area == "" || len(area) > 32 {
				return nil, invalid("query.area", "want the names of areas, divided by commas")
			}
		}
		select {
		case h.doctor.turn <- struct{}{}:
			defer func() { <-h.doctor.turn }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		out := Checked{OK: true, Checks: filled(h.Rooms.Doctor.Check(ctx, in.Area)), At: h.Now()}
		out.OK = !slices.ContainsFunc(out.Checks, func(c Check) bool { return c.State == "fail" })
		if len(out.Checks) == 0 && len(in.Area) > 0 {
			return nil, invalid("query.area", "there is no area "+strings.Join(in.Area, ", "))
		}
		if len(in.Area) == 0 {
			h.doctor.mu.Lock()
			h.doctor.last = out
			h.doctor.mu.Unlock()
		}
		return &answer[Checked]{out}, nil
	})
}

// notYet is for a room that this hub was built without.
func notYet(what string) *Problem {
	return NewProblem(http.StatusNotImplemented, "E-API-NOT-YET", what+" is not part of this hub", "")
}
