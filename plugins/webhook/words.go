package webhook

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

// words are what a receiver is told of a ring.
type words struct {
	Event      string `json:"event"` // ring
	Camera     string `json:"camera"`
	CameraName string `json:"camera_name"`
	EventID    string `json:"event_id"`
	Test       bool   `json:"test"`
	Time       string `json:"time"` // RFC 3339, in the house's zone
	Chime      string `json:"chime"`
	ChimeName  string `json:"chime_name"`
	Sound      string `json:"sound,omitempty"`
	Volume     *int   `json:"volume,omitempty"`
	House      string `json:"house,omitempty"`

	at time.Time
}

func newWords(r sdk.PlayRequest, chimeName, sound, house string, now time.Time) words {
	return words{
		Event: "ring", Camera: r.Camera, CameraName: r.CameraName, EventID: r.EventID, Test: r.Test,
		Time: now.Format(time.RFC3339), Chime: r.Chime, ChimeName: chimeName, Sound: sound, Volume: r.Volume, House: house, at: now,
	}
}

func (w words) json() []byte {
	b, _ := json.Marshal(w) // texts and numbers marshal
	return b
}

// plainWords finds {{name}}.
func plainWords() *regexp.Regexp { return regexp.MustCompile(`\{\{\s*([A-Za-z_.]*)\s*\}\}`) }

func wordNames() []string {
	return []string{"event", "camera", "camera_name", "event_id", "test", "time", "chime", "chime_name", "sound", "volume", "house"}
}

func (w words) value(name string) string {
	switch name {
	case "event":
		return w.Event
	case "camera":
		return w.Camera
	case "camera_name":
		return w.CameraName
	case "event_id":
		return w.EventID
	case "test":
		return strconv.FormatBool(w.Test)
	case "time":
		return w.Time
	case "chime":
		return w.Chime
	case "chime_name":
		return w.ChimeName
	case "sound":
		return w.Sound
	case "volume":
		if w.Volume != nil {
			return strconv.Itoa(*w.Volume)
		}
	case "house":
		return w.House
	}
	return ""
}

// fill puts the words into a text, each escaped as its place wants it. What a word
// holds is never looked at for more of them.
func (w words) fill(text string, escape func(string) string) string {
	form := plainWords()
	return form.ReplaceAllStringFunc(text, func(m string) string {
		return escape(w.value(form.FindStringSubmatch(m)[1]))
	})
}

// unknownWords are the {{…}} of a text that no ring has.
func unknownWords(key, text string) (bad []problem) {
	for _, m := range plainWords().FindAllStringSubmatch(text, -1) {
		if !slices.Contains(wordNames(), m[1]) {
			bad = append(bad, problem{key, "has {{" + m[1] + "}}, which no ring has", "one of: " + strings.Join(wordNames(), ", ")})
		}
	}
	return bad
}
