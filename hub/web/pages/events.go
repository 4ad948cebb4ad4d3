package pages

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// pageRows are the events of one page of the list.
const pageRows = 50

type eventsBody struct {
	Days         []dayRows
	Cameras      []api.Camera
	Camera, Kind string
	Kinds        []kind
	Older        string // address of the next page
	Paged        bool   // not the newest page: it does not change by itself
	Narrowed     bool
	Err          *api.Problem
}

type dayRows struct {
	Name string
	Rows []row
}

type kind struct{ ID, Name string }

func kinds() []kind {
	return []kind{{"ring", "Rings"}, {"person", "Persons"}, {"parcel", "Parcels"}, {"motion", "Motion"}, {"audio", "Sounds"}, {"talk", "Talk"}, {"online", "Online, offline"}}
}

func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	body := eventsBody{Cameras: p.rooms.Cameras.Cameras(), Camera: q.Get("camera"), Kind: q.Get("kind"), Kinds: kinds()}
	query := api.EventQuery{Camera: body.Camera, Types: shown(), Limit: pageRows}
	if slices.ContainsFunc(body.Kinds, func(k kind) bool { return k.ID == body.Kind }) {
		query.Types = []event.Type{event.Type(body.Kind)}
	} else {
		body.Kind = ""
	}
	body.Narrowed = body.Camera != "" || body.Kind != ""
	if before, err := strconv.ParseUint(q.Get("before"), 10, 64); err == nil {
		query.Before, body.Paged = before, true
	}
	events, err := p.rooms.Events.Events(r.Context(), query)
	if err != nil {
		body.Err = api.Describe(err)
	}
	now := p.now().In(p.zone)
	for _, e := range events {
		one, ok := rowOf(e)
		if !ok {
			continue
		}
		name := words.Day(one.At.In(p.zone), now)
		if n := len(body.Days); n == 0 || body.Days[n-1].Name != name {
			body.Days = append(body.Days, dayRows{Name: name})
		}
		last := &body.Days[len(body.Days)-1]
		last.Rows = append(last.Rows, one)
	}
	if len(events) == pageRows {
		next := url.Values{"before": {strconv.FormatUint(events[len(events)-1].Seq, 10)}}
		if body.Camera != "" {
			next.Set("camera", body.Camera)
		}
		if body.Kind != "" {
			next.Set("kind", body.Kind)
		}
		body.Older = "/events?" + next.Encode()
	}
	p.show(w, r, http.StatusOK, "events", frame{Title: "Events", Nav: "events", Body: body})
}

type eventBody struct {
	Row     row
	Event   api.Event
	Hops    []hop
	Verdict verdict
	Data    string
}

// hop is one step of the trace, ready to draw.
type hop struct {
	api.Hop
	Icon  string
	Since string // after the press
	Took  string
	X, W  float64 // of its bar, in percent; the scale is logarithmic
}

// verdict sums the trace up.
type verdict struct {
	Tone, Icon, Title, Text string
}

func (p *pages) event(w http.ResponseWriter, r *http.Request) {
	tr, err := p.rooms.Events.Trace(r.Context(), r.PathValue("id"))
	if err != nil {
		p.oops(w, r, err)
		return
	}
	body := eventBody{Event: tr.Event, Data: strings.TrimSpace(string(tr.Event.Data))}
	if e, err := p.rooms.Events.Event(r.Context(), tr.Event.ID); err == nil {
		body.Row, _ = rowOf(e)
	}
	body.Row.ID = tr.Event.ID
	body.Row.Title = cmp.Or(body.Row.Title, words.Capital(tr.Event.Type))
	body.Row.Icon = cmp.Or(body.Row.Icon, "info")
	body.Row.CameraName = cmp.Or(body.Row.CameraName, tr.Event.CameraName, tr.Event.Camera)
	if body.Row.At.IsZero() {
		body.Row.At = tr.Event.At()
	}
	body.Hops = hops(tr.Hops)
	body.Verdict = judge(tr)
	title := body.Row.Title
	if body.Row.CameraName != "" {
		title += " at " + body.Row.CameraName
	}
	p.show(w, r, http.StatusOK, "event", frame{Title: title, Nav: "events", Body: body})
}

func hops(in []api.Hop) []hop {
	var longest int64 = 1000 // a trace within a millisecond fills no width
	for _, h := range in {
		longest = max(longest, h.SincePressUS)
	}
	// Zero to the longest, by the logarithm: 1 ms and 1 s are both to be seen.
	scale := func(us int64) float64 {
		return math.Round(1000*math.Log1p(float64(max(0, us))/100)/math.Log1p(float64(longest)/100)) / 10
	}
	out := make([]hop, 0, len(in))
	for _, h := range in {
		v := hop{Hop: h, Icon: hopIcon(h.Who), Since: "+" + words.Short(time.Duration(h.SincePressUS)*time.Microsecond)}
		if h.TookUS > 0 {
			v.Took = words.Short(time.Duration(h.TookUS) * time.Microsecond)
		}
		begin := scale(h.SincePressUS - h.TookUS)
		v.X, v.W = min(begin, 98), max(2, scale(h.SincePressUS)-begin)
		out = append(out, v)
	}
	return out
}

func hopIcon(who string) string {
	word, _, _ := strings.Cut(who, " ")
	switch word {
	case "device":
		return "bell"
	case "plugin":
		return "plug"
	case "bus":
		return "chip"
	case "rule":
		return "list"
	case "chime":
		return "sound"
	}
	return "next"
}

// judge says in one sentence whether the ring did what it is there for.
func judge(tr api.Trace) verdict {
	if tr.Event.Type != string(event.TypeRing) {
		return verdict{}
	}
	var sounded, failed, skipped int
	first := int64(-1)
	for _, h := range tr.Hops {
		if !strings.HasPrefix(h.Who, "chime ") {
			continue
		}
		switch h.Outcome {
		case "ok":
			sounded++
			if first < 0 || h.SincePressUS < first {
				first = h.SincePressUS
			}
		case "failed":
			failed++
		case "skipped":
			skipped++
		}
	}
	switch {
	case sounded > 0:
		v := verdict{Tone: "ok", Icon: "check", Title: "The house rang", Text: words.Count(sounded, "chime") + " sounded, the first after " + words.Short(time.Duration(first)*time.Microsecond) + "."}
		if failed > 0 {
			v.Tone, v.Icon = "warn", "alert"
			v.Text += " " + words.Count(failed, "chime") + " did not; see below."
		}
		return v
	case failed > 0:
		return verdict{Tone: "bad", Icon: "alert", Title: "No chime sounded", Text: "Each step below says what happened and how to mend it."}
	case skipped > 0:
		return verdict{Tone: "calm", Icon: "quiet", Title: "Shown, not rung", Text: "The chimes were kept from sounding on purpose; see below."}
	}
	return verdict{Tone: "calm", Icon: "clock", Title: "No chime has told yet", Text: "Either none is configured, or they are still at it. This page follows."}
}
