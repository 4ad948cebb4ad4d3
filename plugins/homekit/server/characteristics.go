package server

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
)

// maxItems is how many characteristics one request may be about.
const maxItems = 512

// prepared is a timed write that was announced (HAP 6.7.2.4). Each connection has its own.
type prepared struct {
	pid   uint64
	until time.Time
}

// item is one characteristic in an answer.
type item struct {
	AID    uint64          `json:"aid"`
	IID    uint64          `json:"iid"`
	Value  json.RawMessage `json:"value,omitempty"`
	Status *int            `json:"status,omitempty"`
	Type   string          `json:"type,omitempty"`
	Perms  []string        `json:"perms,omitempty"`
	Events *bool           `json:"ev,omitempty"`
	*attribute.Meta
}

func items(status int, all []item) http1.Reply {
	return http1.Reply{Status: status, Media: mediaJSON, Body: attribute.Marshal(struct {
		Characteristics []item `json:"characteristics"`
	}{all})}
}

// get answers GET /characteristics (HAP 6.7.4).
func (c *connection) get(r *http.Request) http1.Reply {
	q := r.URL.Query()
	wants := func(key string) bool { v := q.Get(key); return v == "1" || v == "true" }
	ids := strings.Split(q.Get("id"), ",")
	if len(ids) > maxItems {
		return told(http.StatusBadRequest, attribute.Invalid)
	}
	all := make([]item, 0, len(ids))
	failed := false
	for _, id := range ids {
		a, i, _ := strings.Cut(id, ".")
		aid, err1 := strconv.ParseUint(a, 10, 64)
		iid, err2 := strconv.ParseUint(i, 10, 64)
		if err1 != nil || err2 != nil {
			return told(http.StatusBadRequest, attribute.Invalid)
		}
		it := item{AID: aid, IID: iid}
		status := attribute.Missing
		if at := c.s.db.Find(aid, iid); at != nil {
			it.Value, status = at.Read(r)
			if wants("type") {
				it.Type = at.C.Type
			}
			if wants("perms") {
				it.Perms = at.C.Permissions
			}
			if wants("meta") {
				m := at.Meta()
				it.Meta = &m
			}
			if wants("ev") {
				on := c.s.subscribed(c, at)
				it.Events = &on
			}
		}
		it.Status = &status
		failed = failed || status != attribute.OK
		all = append(all, it)
	}
	if failed { // then each says how it went (HAP 6.7.4.2)
		return items(http.StatusMultiStatus, all)
	}
	for i := range all {
		all[i].Status = nil
	}
	return items(http.StatusOK, all)
}

// write is one characteristic of PUT /characteristics.
type write struct {
	AID      uint64          `json:"aid"`
	IID      uint64          `json:"iid"`
	Value    json.RawMessage `json:"value"`
	Events   *flag           `json:"ev"`
	Response flag            `json:"r"`
}

// flag is a boolean, which HAP allows to be written as a number.
type flag bool

// UnmarshalJSON reads it.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", "1":
		*f = true
	case "false", "0", "null":
		*f = false
	default:
		return errors.New("neither true nor false")
	}
	return nil
}

// put answers PUT /characteristics: writes and subscriptions (HAP 6.7.2).
func (c *connection) put(r *http.Request, body []byte) http1.Reply {
	var in struct {
		Characteristics []write `json:"characteristics"`
		PID             *uint64 `json:"pid"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Characteristics) == 0 || len(in.Characteristics) > maxItems {
		return told(http.StatusBadRequest, attribute.Invalid)
	}
	timed := in.PID != nil && c.prepared != nil && c.prepared.pid == *in.PID && c.s.o.Now().Before(c.prepared.until)
	if in.PID != nil {
		c.prepared = nil
	}
	var wanted []*attribute.Attribute
	all := make([]item, 0, len(in.Characteristics))
	several := false
	for _, w := range in.Characteristics {
		it := item{AID: w.AID, IID: w.IID}
		status := attribute.Missing
		if at := c.s.db.Find(w.AID, w.IID); at != nil {
			switch {
			case in.PID != nil && !timed, in.PID == nil && at.C.RequiresTimedWrite() && w.Value != nil:
				status = attribute.Invalid
			default:
				var on bool
				it.Value, status, on = c.write(r, at, w)
				if on {
					wanted = append(wanted, at)
				}
			}
		}
		it.Status = &status
		several = several || status != attribute.OK || it.Value != nil
		all = append(all, it)
	}
	a := empty(http.StatusNoContent)
	if several {
		a = items(http.StatusMultiStatus, all)
	}
	if heard := c.begin(wanted); len(heard) > 0 && c.s.o.Subscribed != nil {
		a.After = func() {
			for _, h := range heard {
				c.s.o.Subscribed(c.peer, h)
			}
		}
	}
	return a
}

// begin puts subscriptions into force, and gives those that are new. What happens from here
// on follows the answer: some controllers lose what comes before it.
func (c *connection) begin(wanted []*attribute.Attribute) (heard []*characteristic.C) {
	if len(wanted) == 0 {
		return nil
	}
	c.out.Hold()
	for _, at := range wanted {
		if c.s.subscribe(c, at, true) {
			heard = append(heard, at.C)
		}
	}
	return heard
}

// write does one of them; on says that a subscription is wanted.
func (c *connection) write(r *http.Request, at *attribute.Attribute, w write) (response json.RawMessage, status int, on bool) {
	if w.Events != nil {
		if !at.C.IsObservable() {
			return nil, attribute.NoEvents, false
		}
		if on = bool(*w.Events); !on {
			c.s.subscribe(c, at, false)
		}
	}
	if w.Value == nil {
		return nil, attribute.OK, on
	}
	response, status = at.Write(w.Value, r)
	switch {
	case status != attribute.OK || !bool(w.Response):
		return nil, status, on
	case response == nil && at.C.IsReadable():
		response, status = at.Read(r)
	}
	return response, status, on
}

// prepare answers PUT /prepare: a timed write follows within ttl milliseconds.
func (c *connection) prepare(body []byte) http1.Reply {
	var in struct {
		TTL uint64  `json:"ttl"`
		PID *uint64 `json:"pid"`
	}
	const longest = uint64(time.Hour / time.Millisecond)
	if err := json.Unmarshal(body, &in); err != nil || in.PID == nil || in.TTL == 0 {
		return told(http.StatusBadRequest, attribute.Invalid)
	}
	ttl := time.Duration(min(in.TTL, longest)) * time.Millisecond
	c.prepared = &prepared{*in.PID, c.s.o.Now().Add(ttl)}
	return told(http.StatusOK, attribute.OK)
}

// resource answers POST /resource: pictures (HAP 11.5).
func (c *connection) resource(r *http.Request, body []byte) http1.Reply {
	in := struct {
		AID    uint64   `json:"aid"`
		Kind   string   `json:"resource-type"`
		Width  *float64 `json:"image-width"`
		Height *float64 `json:"image-height"`
		Reason *float64 `json:"reason"`
	}{AID: 1} // bridges alone need to say whose
	if err := json.Unmarshal(body, &in); err != nil || in.Width == nil || in.Height == nil || in.Kind == "" {
		return told(http.StatusBadRequest, attribute.Invalid)
	}
	if c.s.o.Resource == nil || !c.s.db.Has(in.AID) {
		return told(http.StatusNotFound, attribute.Missing)
	}
	reason := -1
	if in.Reason != nil {
		reason = whole(in.Reason)
	}
	jpeg, status := c.s.o.Resource(r.Context(), c.peer, Resource{
		AID: in.AID, Kind: in.Kind, Width: whole(in.Width), Height: whole(in.Height), Reason: reason,
	})
	if status != attribute.OK {
		return told(http.StatusMultiStatus, status)
	}
	return http1.Reply{Status: http.StatusOK, Media: "image/jpeg", Body: jpeg}
}

// whole is a number that a controller sent, never negative and never more than an int32.
func whole(f *float64) int {
	if f == nil || !(*f > 0) {
		return 0
	}
	return int(min(*f, math.MaxInt32))
}
