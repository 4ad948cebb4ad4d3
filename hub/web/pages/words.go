package pages

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"

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

// words tells an event to a person. Those without interest (a motion's end) are not ok.
func words(e event.Event) (row, bool) {
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
		r.Icon, r.Title = "person", capital(cmp.Or(d.Label, string(e.Type)))
		if e.Type == event.TypeParcel {
			r.Icon = "parcel"
		}
		r.Detail = strings.Join(d.Zones, ", ")
		return r, d.Active
	case event.Audio:
		r.Icon, r.Title = "wave", capital(d.Label)+" heard"
	case event.Talk:
		r.Icon, r.Title = "mic", "Talk began"
		if !d.Active {
			r.Title, r.Detail = "Talk ended", fmt.Sprintf("%.0f s heard", d.HeardSeconds)
		}
	case event.Online:
		r.Icon, r.Title = "link", "Online"
		if !d.Online {
			r.Icon, r.Title, r.Detail = "link-off", "Offline", bare(d.Reason)
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

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// sentence gives a text of a room its capital and its full stop.
func sentence(s string) string {
	s = capital(strings.TrimSpace(s))
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// prose is a text of a room as HTML: what stands between backticks is code.
func prose(s string) template.HTML {
	var b strings.Builder
	for i, piece := range strings.Split(s, "`") {
		switch {
		case i%2 == 1:
			b.WriteString("<code>" + template.HTMLEscapeString(piece) + "</code>")
		default:
			b.WriteString(template.HTMLEscapeString(piece))
		}
	}
	return template.HTML(b.String())
}

// ago says how long something is past; static/js/dom.js has the same words.
func ago(d time.Duration) string {
	switch s := int(d.Round(time.Second) / time.Second); {
	case s < 10:
		return "just now"
	case s < 60:
		return fmt.Sprintf("%d s ago", s)
	case s < 3600:
		return fmt.Sprintf("%d min ago", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%d h ago", s/3600)
	default:
		return fmt.Sprintf("%d days ago", s/86400)
	}
}

// short gives a duration in the unit that reads best.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// rough gives a wait as people say it.
func rough(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second)/time.Second))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute)/time.Minute))
	default:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour)/time.Hour))
	}
}

// day names a date as people do.
func day(t, now time.Time) string {
	y, m, d := t.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	ny, nm, nd := now.Date()
	today := time.Date(ny, nm, nd, 0, 0, 0, 0, now.Location())
	switch {
	case midnight.Equal(today):
		return "Today"
	case midnight.Equal(today.AddDate(0, 0, -1)):
		return "Yesterday"
	case t.Year() == now.Year():
		return t.Format("Monday, 2 January")
	default:
		return t.Format("Monday, 2 January 2006")
	}
}

func byteSize(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KB", (n+1023)/1024)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/(1<<20))
}
