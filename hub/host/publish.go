package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// overGap: refusals further apart than this are separate overloads.
	overGap = 3 * time.Second
	// tellEvery is how often the supervisor hears of an overload that lasts.
	tellEvery = time.Second
	// rejectsForRepair in a minute open a repair card.
	rejectsForRepair = 3
)

// Publish takes one event of a plugin. It blocks as long as the plugin's stream is
// to be read no faster; done is called exactly once, perhaps later.
func (h *Host) Publish(ctx context.Context, plugin string, urgent bool, m *pb.Event, done func(*pb.PublishResult)) {
	n, ok := h.entry(plugin)
	if !ok {
		done(refuse(m, pb.Code_CODE_DENIED, "plugin "+plugin+" has no entry any more", 0))
		return
	}
	lane := 0
	if urgent {
		lane = 1
	}
	if err := n.paceOf(lane).Wait(ctx); err != nil {
		done(refuse(m, pb.Code_CODE_UNAVAILABLE, "the hub is stopping", 0))
		return
	}
	e, err := event.FromProto(m)
	if err != nil {
		h.reject(n, "invalid", err.Error())
		done(refuse(m, pb.Code_CODE_INVALID, err.Error(), 0))
		return
	}
	if (e.Class() == event.ClassCritical) != urgent {
		h.reject(n, "wrong stream", "rings go over Urgent and all else over Link")
		done(refuse(m, pb.Code_CODE_INVALID, "rings go over the Urgent stream and all else over Link", 0))
		return
	}
	if err := h.allowed(n, &e); err != nil {
		h.reject(n, "not granted", err.Error())
		done(refuse(m, pb.Code_CODE_DENIED, err.Error(), 0))
		return
	}
	if wait := n.take(e.Class(), h.Now()); wait > 0 {
		h.over(n, e.Class())
		done(refuse(m, pb.Code_CODE_EXHAUSTED, fmt.Sprintf("more than the %s events allowed; try again later", e.Class()), wait))
		return
	}
	h.stamp(plugin, &e)
	taken := h.Now()
	if e.Camera != "" {
		h.Cameras.Saw(e.Camera, taken)
	}
	err = h.Bus.Publish(ctx, e, func(r event.Result, err error) {
		if err != nil {
			done(refuse(m, pb.Code_CODE_UNAVAILABLE, err.Error(), time.Second))
			return
		}
		done(&pb.PublishResult{EventId: e.ID, Outcome: pb.PublishResult_Outcome(r.Outcome), Seq: r.Seq})
		if e.Type == event.TypeRing {
			h.tellJournal(&e, r, h.Now().Sub(taken))
		}
	})
	if err != nil {
		done(refuse(m, pb.Code_CODE_UNAVAILABLE, err.Error(), time.Second))
	}
}

func refuse(m *pb.Event, code pb.Code, msg string, after time.Duration) *pb.PublishResult {
	r := &pb.PublishResult{EventId: m.GetId(), Outcome: pb.PublishResult_OUTCOME_REJECTED, Error: &pb.Error{Code: code, Message: msg}}
	if after > 0 {
		r.Error.RetryAfter = durationpb.New(after)
	}
	return r
}

// stamp sets what a plugin is never believed.
func (h *Host) stamp(plugin string, e *event.Event) {
	e.Source, e.Seq, e.Received, e.TimeReplaced, e.CameraName, e.Snapshot, e.Hub = plugin, 0, time.Time{}, false, "", "", ""
	if c, ok := h.Cameras.Camera(e.Camera); ok {
		e.CameraName = c.Name
		if e.Type == event.TypeRing {
			e.TTL = c.IgnoreOlderThan
		}
	}
	if e.Correlation == "" || e.Type == event.TypeRing {
		e.Correlation = e.ID
	}
	if d, ok := e.Data.(event.Hop); ok {
		d.Taker = "plugin " + plugin // a trace tells who did it, not who is said to
		e.Data = d
	}
}

// allowed holds an event against the grant: its subject, and that the plugin
// speaks for the device that the subject names.
func (h *Host) allowed(n *entry, e *event.Event) error {
	// The camera of any event reaches debounces and pages, whatever its subject is.
	if e.Camera != "" && !h.owns(n.Name, e.Camera) {
		return fmt.Errorf("camera %q is not one of plugin %s", e.Camera, n.Name)
	}
	grant := n.granted()
	if grant == nil || !event.MatchAny(grant.GetPublish(), e.Subject) {
		return fmt.Errorf("subject %s is not among what the plugin may publish", e.Subject)
	}
	kind, rest, _ := strings.Cut(e.Subject, ".")
	id, what, _ := strings.Cut(rest, ".")
	if !speaks(kind, e.Type) {
		return fmt.Errorf("subject %s does not belong to type %q, or is the hub's own", e.Subject, e.Type)
	}
	switch kind {
	case "camera":
		if e.Camera != id {
			return fmt.Errorf("subject %s and camera %q do not agree", e.Subject, e.Camera)
		}
		if first, _, _ := strings.Cut(what, "."); first != string(e.Type) {
			return fmt.Errorf("subject %s does not belong to type %q", e.Subject, e.Type)
		}
	case "device":
		if !h.owns(n.Name, id) && !n.plays(id) {
			return fmt.Errorf("device %q is not one of plugin %s", id, n.Name)
		}
	case "plugin":
		if id != n.Name {
			return fmt.Errorf("subject %s is another plugin's", e.Subject)
		}
	case "chime":
		if !n.plays(id) {
			return fmt.Errorf("chime %q is not one of plugin %s", id, n.Name)
		}
	}
	return named(e, id)
}

// speaks tells which types a plugin may publish below a first token. Rules, the
// states of plugins and the system are the hub's own words everywhere.
func speaks(kind string, t event.Type) bool {
	switch kind {
	case "camera":
		switch t {
		case event.TypeRing, event.TypeMotion, event.TypePerson, event.TypeParcel, event.TypeVehicle, event.TypeAnimal,
			event.TypeAudio, event.TypeOnline, event.TypeTalk, event.TypeHop, event.TypeDebug:
			return true
		}
	case "device":
		return t == event.TypeStatus
	case "plugin":
		return t == event.TypeStatus || t == event.TypeHop || t == event.TypeDebug
	case "chime":
		return t == event.TypeChime || t == event.TypeStatus || t == event.TypeHop || t == event.TypeDebug
	case "neighborhood":
		return t == event.TypeAlert
	}
	return false
}

// named holds the name inside the data against the one of the subject.
func named(e *event.Event, id string) error {
	inside := id
	switch d := e.Data.(type) {
	case event.ChimeResult:
		inside = d.Chime
	case event.DeviceStatus:
		inside = d.Device
	}
	if inside != "" && inside != id {
		return fmt.Errorf("subject %s and %q inside it do not agree", e.Subject, inside)
	}
	return nil
}

// take a token of the class; the wait until there is one, 0 where it was there.
func (n *entry) take(class event.Class, now time.Time) time.Duration {
	n.mu.Lock()
	bucket := n.buckets[class]
	n.mu.Unlock()
	r := bucket.ReserveN(now, 1)
	if !r.OK() {
		return time.Second
	}
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// over notes that a plugin is beyond its rate, and tells the supervisor.
func (h *Host) over(n *entry, class event.Class) {
	now := h.Now()
	n.mu.Lock()
	n.counts["over the rate"]++
	if now.Sub(n.overLast) > overGap {
		n.overSince = now
	}
	n.overLast = now
	since := n.overSince
	tell := now.Sub(n.overTold) >= tellEvery
	if tell {
		n.overTold = now
	}
	n.mu.Unlock()
	if !tell { // a flood is to be told of, not to be one more
		return
	}
	h.Supervisor.Overloaded(n.Name, since, "more "+class.String()+" events than its limits allow")
}

// reject counts a refusal; several in a minute open a repair card.
func (h *Host) reject(n *entry, reason, detail string) {
	now := h.Now()
	n.mu.Lock()
	n.counts[reason]++
	n.rejected = append(slices.DeleteFunc(n.rejected, func(t time.Time) bool { return now.Sub(t) > time.Minute }), now)
	if len(n.rejected) > rejectsForRepair {
		n.rejected = n.rejected[len(n.rejected)-rejectsForRepair:]
	}
	many := len(n.rejected) >= rejectsForRepair
	n.mu.Unlock()
	if many {
		h.repairs.Open(n.Name, Repair{Key: "rejected", Title: "Plugin " + n.Name + " sends what it may not",
			Effect: "those events are refused: " + detail, Fix: "tell the plugin's author, or widen its permissions"})
	}
}

// tellJournal adds the durable write of a ring to its trace.
func (h *Host) tellJournal(ring *event.Event, r event.Result, took time.Duration) {
	hop := event.Hop{EventID: ring.ID, Taker: "journal", Outcome: "ok", Detail: r.Outcome.String(), Took: took}
	switch r.Outcome {
	case event.Duplicate:
		return // no ring of its own, so no trace
	case event.AcceptedNotDurable:
		hop.Outcome, hop.Detail = "failed", "the disk is full; it is written when there is room"
	}
	h.publishHop(ring, "system.journal", hop)
}

// publishHop hands the hop to Serve. It is called from the bus's own goroutines,
// so it never waits: with the queue full the hop is lost and counted, the ring is not.
func (h *Host) publishHop(of *event.Event, subject string, hop event.Hop) {
	e := event.Event{ID: event.NewID(), Type: event.TypeHop, Subject: subject, Camera: of.Camera, CameraName: of.CameraName,
		Correlation: of.Correlation, Observed: h.Now(), Data: hop}
	select {
	case h.hops <- e:
	default:
		h.lostHops.Add(1)
	}
}

// Serve publishes hops until ctx ends.
func (h *Host) Serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-h.hops:
			if err := h.Bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
				h.lostHops.Add(1)
			}
		}
	}
}

// LostHops counts steps of traces that were not kept.
func (h *Host) LostHops() uint64 { return h.lostHops.Load() }
