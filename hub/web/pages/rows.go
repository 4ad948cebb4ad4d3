package pages

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// shown are the types that people read of; the others are how the house works.
func shown() []event.Type {
	return []event.Type{event.TypeRing, event.TypeMotion, event.TypePerson, event.TypeParcel, event.TypeAudio, event.TypeTalk, event.TypeOnline, event.TypeAlert}
}

// row is one event in a list.
type row struct {
	ID, Kind, Icon, Title, Detail string
	Camera, CameraName            string
	At                            time.Time
	Test                          bool
}

// rowOf tells an event to a person. Those without interest (a motion's end) are not ok.
func rowOf(e event.Event) (row, bool) {
	r := row{ID: e.ID, Kind: string(e.Type), Icon: "info", Title: string(e.Type), Camera: e.Camera, CameraName: cmp.Or(e.CameraName, e.Camera), At: at(e)}
	switch d := e.Data.(type) {
	case event.Ring:
		r.Icon, r.Title, r.Test = "bell", "Ring", d.Test
		if d.Button != "" && d.Button != e.Source { // a bell with one button names it after itself
			r.Detail = "button " + d.Button
		}
	case event.Motion:
		r.Icon, r.Title = "motion", "Motion"
		r.Detail = strings.Join(d.Zones, ", ")
		return r, d.Active
	case event.Detection:
		r.Icon, r.Title = "person", words.Capital(cmp.Or(d.Label, string(e.Type)))
		if e.Type == event.TypeParcel {
			r.Icon = "parcel"
		}
		r.Detail = strings.Join(d.Zones, ", ")
		return r, d.Active
	case event.Audio:
		r.Icon, r.Title = "wave", words.Capital(d.Label)+" heard"
	case event.Talk:
		r.Icon, r.Title = "mic", "Talk began"
		if !d.Active {
			r.Title, r.Detail = "Talk ended", fmt.Sprintf("%.0f s heard", d.HeardSeconds)
		}
	case event.Online:
		r.Icon, r.Title = "link", "Online"
		if !d.Online {
			r.Icon, r.Title, r.Detail = "link-off", "Offline", words.Bare(d.Reason)
		}
	case event.Alert:
		r.Icon, r.Title, r.Detail, r.CameraName = "alert", "Neighborhood alert", d.Text, d.Neighborhood
	default:
		if e.Type == event.TypeRing {
			r.Icon, r.Title = "bell", "Ring"
		}
	}
	return r, true
}

// at is when it happened, as well as the hub knows.
func at(e event.Event) time.Time {
	if !e.Time.IsZero() {
		return e.Time
	}
	if !e.Observed.IsZero() {
		return e.Observed
	}
	return e.Received
}
