package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

const (
	limitDefault = 50
	limitMost    = 500
)

// dayTypes is what a list of events shows unless asked for more: what happened at the
// door. What followed from it is in the trace, and what the hub tells of itself is for
// bridges.
func dayTypes() []event.Type {
	return []event.Type{
		event.TypeRing, event.TypeMotion, event.TypePerson, event.TypeParcel, event.TypeAudio,
		event.TypeOnline, event.TypeTalk, event.TypeAlert,
	}
}

type eventsIn struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"32" doc:"next of the page before"`
	Since  string `query:"since" maxLength:"64" doc:"RFC 3339, or a duration back from now such as 1h" example:"24h"`
	Until  string `query:"until" maxLength:"64" doc:"as since"`
	Camera string `query:"camera" maxLength:"64"`
	Kind   string `query:"kind" maxLength:"256" doc:"types divided by commas, or all" example:"ring,motion"`
}

func (h *house) events(m *Routes) {
	route(h, http.MethodGet, "/events", "What happened, newest first", ofCamera(access.ScopeView), http.StatusOK, func(ctx context.Context, in *eventsIn) (*answer[EventList], error) {
		q, err := in.query(h.Now())
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		if q.Camera != "" && !who.Sees(q.Camera) {
			return nil, notFound("camera", q.Camera)
		}
		list, err := ListEvents(ctx, seenEvents{h.Rooms.Events, who}, q)
		return &answer[EventList]{list}, err
	})
	route(h, http.MethodGet, "/events/{id}", "One event", ofCamera(access.ScopeView), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Event], error) {
		who, _ := access.From(ctx)
		e, err := seenEvents{h.Rooms.Events, who}.Event(ctx, in.ID)
		return &answer[Event]{FromEvent(&e)}, err
	})
	route(h, http.MethodGet, "/events/{id}/trace", "What happened to one event, hop by hop", ofCamera(access.ScopeView), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Trace], error) {
		who, _ := access.From(ctx)
		t, err := h.Rooms.Events.Trace(ctx, in.ID)
		if err == nil && !sees(who, t.Event.Camera) {
			return nil, notFound("event", in.ID)
		}
		t.Hops = filled(t.Hops)
		return &answer[Trace]{t}, err
	})
	m.HandleFunc("GET "+Prefix+"/events/stream", h.stream)
}

// seenRounds bounds how many pages of the journal are read for one page of a token
// that is for some cameras; where that is not enough the page is short.
const seenRounds = 20

// seenEvents are those that the asker is let to. An event that is of no camera is of
// the whole house.
type seenEvents struct {
	room Events
	who  access.Identity
}

func sees(who access.Identity, camera string) bool {
	return who.Everywhere() || camera != "" && who.Sees(camera)
}

func (s seenEvents) Events(ctx context.Context, q EventQuery) ([]event.Event, error) {
	if s.who.Everywhere() || q.Camera != "" {
		return s.room.Events(ctx, q)
	}
	var out []event.Event
	want := q.Limit
	q.Limit = limitMost
	for range seenRounds {
		page, err := s.room.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if sees(s.who, page[i].Camera) {
				if out = append(out, page[i]); len(out) == want {
					return out, nil
				}
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].Seq
	}
	return out, nil
}

func (s seenEvents) Event(ctx context.Context, id string) (event.Event, error) {
	e, err := s.room.Event(ctx, id)
	if err == nil && !sees(s.who, e.Camera) {
		return event.Event{}, notFound("event", id)
	}
	return e, err
}

// ListEvents gives one page and the cursor of the next. Without types it lists those
// that happen at the door.
func ListEvents(ctx context.Context, room Lister, q EventQuery) (EventList, error) {
	if q.Limit <= 0 {
		q.Limit = limitDefault
	}
	q.Limit = min(q.Limit, limitMost)
	if q.Types == nil {
		q.Types = dayTypes()
	}
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	found, err := room.Events(ctx, q)
	if err != nil {
		return EventList{}, err
	}
	list := EventList{Events: make([]Event, 0, len(found))}
	for i := range found {
		if i == limit {
			list.Next = strconv.FormatUint(found[i-1].Seq, 10)
			break
		}
		list.Events = append(list.Events, FromEvent(&found[i]))
	}
	return list, nil
}

func (in *eventsIn) query(now time.Time) (EventQuery, error) {
	q := EventQuery{Camera: in.Camera, Limit: in.Limit}
	var err error
	if q.Since, err = moment(in.Since, now); err != nil {
		return q, invalid("query.since", "want a time as 2006-01-02T15:04:05Z or a duration as 1h")
	}
	if q.Until, err = moment(in.Until, now); err != nil {
		return q, invalid("query.until", "want a time as 2006-01-02T15:04:05Z or a duration as 1h")
	}
	if in.Cursor != "" {
		if q.Before, err = strconv.ParseUint(in.Cursor, 10, 64); err != nil {
			return q, invalid("query.cursor", "this is not a cursor that the hub gave")
		}
	}
	q.Types, err = kinds(in.Kind)
	return q, err
}

// kinds reads types divided by commas; nil for none, an empty list for all.
func kinds(s string) ([]event.Type, error) {
	switch s {
	case "":
		return nil, nil
	case "all":
		return []event.Type{}, nil
	}
	var out []event.Type
	for k := range strings.SplitSeq(s, ",") {
		t := event.Type(strings.TrimSpace(k))
		if t.Class() == event.ClassUnknown {
			return nil, invalid("query.kind", "an event has one of the kinds "+strings.Join(names(), ", "))
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}

func names() []string {
	var out []string
	for _, t := range dayTypes() {
		out = append(out, string(t))
	}
	return append(out, "chime", "rule", "plugin", "status", "hop")
}

// moment reads a time, or a duration back from now; zero for an empty text.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d.Abs()), nil
	}
	return time.Parse(time.RFC3339, s)
}

func invalid(path, message string) *Problem {
	p := NewProblem(http.StatusUnprocessableEntity, "E-API-INVALID", path[strings.LastIndexByte(path, '.')+1:]+": "+message, "")
	p.Errors = []Fault{{Path: path, Message: message}}
	return p
}
