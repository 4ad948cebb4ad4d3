package timeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// maxHops bounds one trace; a ring has a handful for each chime and taker.
const maxHops = 500

// Trace of one event.
type Trace struct {
	Event event.Event `json:"event"`
	Hops  []Hop       `json:"hops"`
}

// Hop is one step on an event's way.
type Hop struct {
	At time.Time `json:"at"`
	// Since the press: since the hub took the event, or since the device's own time where it came first.
	Since   time.Duration `json:"since_ns"`
	Who     string        `json:"who"`
	What    string        `json:"what"`
	Outcome string        `json:"outcome"` // ok, failed, skipped
	Detail  string        `json:"detail,omitempty"`
	Fix     string        `json:"fix,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
	Replay  bool          `json:"replay,omitempty"`
}

// Journal is where events are read from.
type Journal interface {
	Event(ctx context.Context, id string) (event.Event, error)
	Events(ctx context.Context, q bus.Query) ([]event.Event, error)
}

// Timeline reads the journal. Safe for concurrent use.
type Timeline struct{ journal Journal }

// New reads from the journal given.
func New(j Journal) *Timeline { return &Timeline{journal: j} }

// Events lists what happened, newest first.
func (t *Timeline) Events(ctx context.Context, q bus.Query) ([]event.Event, error) {
	return t.journal.Events(ctx, q)
}

// Event by id; bus.ErrNotFound where the journal has none.
func (t *Timeline) Event(ctx context.Context, id string) (event.Event, error) {
	return t.journal.Event(ctx, id)
}

// Trace tells every hop of an event. For an event that followed from another it
// gives that other's trace.
func (t *Timeline) Trace(ctx context.Context, id string) (Trace, error) {
	e, err := t.journal.Event(ctx, id)
	if err != nil {
		return Trace{}, fmt.Errorf("trace %s: %w", id, err)
	}
	if e.Correlation != "" && e.Correlation != e.ID {
		if root, err := t.journal.Event(ctx, e.Correlation); err == nil {
			e = root
		}
	}
	follow, err := t.journal.Events(ctx, bus.Query{Correlation: e.ID, Limit: maxHops})
	if err != nil {
		return Trace{}, fmt.Errorf("trace %s: %w", id, err)
	}
	slices.SortStableFunc(follow, func(a, b event.Event) int { return int(int64(a.Seq) - int64(b.Seq)) })
	tr := Trace{Event: e, Hops: beginning(e)}
	for _, f := range follow {
		if f.ID == e.ID {
			continue
		}
		h := hop(f)
		h.At, h.Since = f.Received, f.Received.Sub(start(e))
		tr.Hops = append(tr.Hops, h)
	}
	tr.Hops = saidOnce(tr.Hops)
	return tr, nil
}

// saidOnce leaves out that a taker handled the event where it tells itself what it did.
func saidOnce(hops []Hop) []Hop {
	tells := map[string]bool{}
	for _, h := range hops {
		tells[h.Who] = tells[h.Who] || h.Detail != ""
	}
	return slices.DeleteFunc(hops, func(h Hop) bool {
		return h.Outcome == "ok" && h.What == handled && h.Detail == "" && !h.Replay && tells[h.Who]
	})
}

// start of a trace: the device's time where it gives a believable one, else the
// plugin's, else the hub's.
func start(e event.Event) time.Time {
	at := e.Received
	if !e.Observed.IsZero() && e.Observed.Before(at) {
		at = e.Observed
	}
	if !e.Time.IsZero() && !e.TimeReplaced && e.Time.Before(at) {
		at = e.Time
	}
	return at
}

// beginning gives the hops that the event itself tells of.
func beginning(e event.Event) []Hop {
	from := start(e)
	var hops []Hop
	if !e.Time.IsZero() && !e.TimeReplaced {
		hops = append(hops, Hop{At: e.Time, Since: max(0, e.Time.Sub(from)), Who: "device", What: "saw the " + string(e.Type), Outcome: "ok"})
	}
	if !e.Observed.IsZero() {
		hops = append(hops, Hop{At: e.Observed, Since: max(0, e.Observed.Sub(from)), Who: "plugin " + e.Source, What: "sent the " + string(e.Type), Outcome: "ok"})
	}
	h := Hop{At: e.Received, Since: e.Received.Sub(from), Who: "bus", What: "handed it to every taker", Outcome: "ok"}
	if e.TimeReplaced {
		h.Detail = "the device's clock is more than 24 h off; the hub's time is used"
		h.Fix = "set the clock of the device, or let it ask a time server"
	}
	return append(hops, h)
}

// handled is what a taker did of which no more is known.
const handled = "handled it"

// hop reads what a following event tells.
func hop(f event.Event) Hop {
	switch d := f.Data.(type) {
	case event.RuleFired:
		h := Hop{Who: "rule " + d.Name, What: "matched", Outcome: "ok"}
		if len(d.Actions) > 0 {
			h.Detail = "chimes " + strings.Join(d.Actions, ", ")
		} else {
			h.Detail = "no chime to ring"
		}
		return h
	case event.ChimeResult:
		h := Hop{Who: "chime " + d.Chime, What: "sounded " + d.Sound, Outcome: "ok", Detail: d.Reason, Took: d.Took}
		if !d.Played {
			h.What, h.Outcome, h.Fix = "did not sound", "failed", fixFor(d.Reason)
			if skippedOnPurpose(d.Reason) {
				h.Outcome = "skipped"
			}
		}
		return h
	case event.Hop:
		what := handled
		if d.Outcome == "skipped" {
			what = "let it be"
		}
		return Hop{Who: d.Taker, What: what, Outcome: d.Outcome, Detail: d.Detail, Took: d.Took, Replay: d.Replay}
	}
	return Hop{Who: f.Source, What: string(f.Type), Outcome: "ok"}
}

func skippedOnPurpose(reason string) bool {
	return reason == "muted" || reason == "quiet" || reason == "replay" || reason == "too old" ||
		strings.HasPrefix(reason, "not played: ") || strings.HasPrefix(reason, "quiet until")
}

// fixFor tells how to mend what kept a chime from sounding.
func fixFor(reason string) string {
	switch {
	case reason == "no page is open":
		return "open the hub's page in a browser and turn its sound on"
	case strings.HasPrefix(reason, "no open page"):
		return "click Turn on sound on an open page"
	case strings.HasPrefix(reason, "no sound device"):
		return "plug in or switch on a loudspeaker, or start the sound server; it is tried again by itself"
	case strings.HasPrefix(reason, "plugin "):
		return "`porchlight plugins ls` tells what mends the plugin"
	case reason == "muted":
		return "unmute it on the chimes list"
	}
	return ""
}
