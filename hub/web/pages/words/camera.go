package words

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// Above these a person is told what to change at the camera.
const (
	longGOP    = 4 * time.Second  // a viewer waits for a key frame
	oldPicture = 10 * time.Second // of a stream that is called live
)

// Fact is one line of a list of facts.
type Fact struct{ Name, Value string }

// Stream names a stream.
func Stream(s string) string {
	switch s {
	case "main":
		return "Main stream"
	case "sub":
		return "Sub stream"
	}
	return Capital(s)
}

// State in a tone and words. What is not known is never shown as well.
func State(s api.Source) (tone, word string) {
	switch s.State {
	case "live":
		if age := lastFrame(s); age > oldPicture {
			return "warn", "No picture for " + Rough(age)
		}
		return "ok", "Live"
	case "pushed":
		if s.Codec != "" && lastFrame(s) <= oldPicture {
			return "ok", "Live"
		}
		return "grey", "Sent by its plugin"
	case "connecting":
		return "busy", "Connecting"
	case "waiting":
		return "bad", "No connection"
	case "locked":
		return "bad", "Password refused"
	case "off":
		return "grey", "Resting"
	}
	return "grey", "Unknown"
}

func lastFrame(s api.Source) time.Duration { return time.Duration(s.LastFrameMS) * time.Millisecond }

// Facts of a source; what is not known is left out.
func Facts(s api.Source) []Fact {
	var out []Fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, Fact{name, value})
		}
	}
	add("Picture", Picture(s))
	add("Pictures a second", FPS(s))
	add("Bitrate", Bitrate(s))
	if s.GOPMS > 0 {
		add("Key frame", "every "+Short(time.Duration(s.GOPMS)*time.Millisecond))
	}
	add("Last picture", Last(s))
	add("Sound", strings.Join(soundNames(s.Sound), ", "))
	add("Address", s.Address)
	add("Transport", strings.ToUpper(s.Transport))
	add("Names itself", s.Server)
	add("Pulled", map[string]string{"always": "always", "on_demand": "when somebody looks", "battery": "on a ring, or when somebody looks"}[s.Pull])
	if s.RingMS > 0 {
		add("In memory", fmt.Sprintf("%s, %s", Short(time.Duration(s.RingMS)*time.Millisecond), ByteSize(s.RingBytes)))
	}
	if s.State == "live" || s.State == "pushed" || s.Readers > 0 {
		add("Readers", fmt.Sprint(s.Readers))
	}
	if s.State != "pushed" {
		add("Reconnects", fmt.Sprint(s.Reconnects))
	}
	if s.Repairs > 0 {
		add("Clock repaired", fmt.Sprint(s.Repairs))
	}
	if s.SkippedGOPs > 0 {
		add("Left out for slow readers", Count(int(s.SkippedGOPs), "key frame interval"))
	}
	add("Worked around", workedAround(s.Worked))
	return out
}

// workedAround says in words what is special about a camera; what has none stands as it is.
func workedAround(names []string) string {
	known := map[string]string{
		"no_range": "refuses a Range", "no_talk": "refuses a back channel", "talk_video": "is spoken to only while watched", "no_key_ask": "gives no key frame when asked",
		"no_options": "refuses OPTIONS", "keepalive_both": "kept alive by OPTIONS and GET_PARAMETER", "keepalive_options": "kept alive by OPTIONS", "keepalive_get_parameter": "kept alive by GET_PARAMETER",
		"transport_udp": "refuses TCP", "track_first": "track before the query", "annex_b": "start codes in RTP", "slices": "marks slices, not pictures", "redirected": "leads to another address",
	}
	var out []string
	for _, n := range names {
		text := cmp.Or(known[n], n)
		if strings.HasPrefix(n, "sdp_") {
			text = "repaired description"
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", ")
}

// FPS is how many pictures come a second; empty: not known.
func FPS(s api.Source) string {
	if s.FPS <= 0 || !flows(s) {
		return ""
	}
	return fmt.Sprintf("%.1f", s.FPS)
}

// Last is how old the last picture is; empty: not known.
func Last(s api.Source) string {
	if s.LastFrameMS <= 0 {
		return ""
	}
	return Short(lastFrame(s)) + " ago"
}

// Picture is the codec and the size, as far as they are known.
func Picture(s api.Source) string {
	text := codecName(s.Codec)
	if s.Width > 0 && s.Height > 0 {
		text = strings.TrimPrefix(fmt.Sprintf("%s, %d\u00a0×\u00a0%d", text, s.Width, s.Height), ", ")
	}
	return text
}

func codecName(codec string) string {
	known := map[string]string{"h264": "H.264", "h265": "H.265", "mjpeg": "MJPEG", "aac": "AAC", "opus": "Opus", "pcmu": "G.711 µ", "pcma": "G.711 A", "l16": "L16"}
	return cmp.Or(known[strings.ToLower(codec)], strings.ToUpper(codec))
}

func soundNames(codecs []string) []string {
	var out []string
	for _, c := range codecs {
		out = append(out, codecName(c))
	}
	return out
}

// flows: pictures come. What came before they stopped is nothing of now.
func flows(s api.Source) bool { return s.State == "live" || s.State == "pushed" }

// Bitrate in the unit that reads best; empty: not known.
func Bitrate(s api.Source) string {
	kbps := s.BitrateKbps
	switch {
	case kbps <= 0 || !flows(s):
		return ""
	case kbps < 1000:
		return fmt.Sprintf("%d kb/s", kbps)
	}
	return fmt.Sprintf("%.1f Mb/s", float64(kbps)/1000)
}

// Advice on what the camera's own settings could make better.
func Advice(s api.Source) []string {
	var out []string
	if s.Codec == "h265" {
		out = append(out, "Not every browser plays H.265. For one that does not `ffmpeg` converts it, as far as this machine's power goes; better is H.264, set as the video encoding of this stream in the camera's own settings.")
	}
	if s.GOPMS > longGOP.Milliseconds() {
		out = append(out, "The live picture starts with a key frame, and this stream has one every "+Short(time.Duration(s.GOPMS)*time.Millisecond)+". In the camera's own settings set the I-frame interval to 2 seconds, and turn smart coding (H.264+, Zipstream) off.")
	}
	if s.NoPrebuffer {
		out = append(out, "The pictures between two key frames are more than may be kept in memory, so nothing from before a ring is kept. A shorter I-frame interval or a lower bitrate mends it.")
	}
	return out
}

// Real tells whether somebody has said that there is such a stream, and not only a
// reader asked for it.
func Real(s api.Source) bool {
	return s.Stream == "main" || s.Pull != "" || s.Codec != "" || s.State == "live" || s.State == "pushed"
}

// HasSub tells whether the camera has a smaller stream.
func HasSub(c api.Camera) bool {
	for _, s := range c.Sources {
		if s.Stream == "sub" && Real(s) {
			return true
		}
	}
	for _, s := range c.Streams {
		if s == "sub" {
			return true
		}
	}
	return false
}

// Shape of the camera's picture as people see it, as one that the style knows.
func Shape(c api.Camera) string {
	w, h := 16, 9
	for _, s := range c.Sources {
		if s.Width > 0 && s.Height > 0 {
			w, h = s.Width, s.Height
			break
		}
	}
	if c.Rotate == 90 || c.Rotate == 270 {
		w, h = h, w
	}
	switch r := float64(w) / float64(h); {
	case r > 2.4:
		return "32-9"
	case r > 1.55:
		return "16-9"
	case r > 1.15:
		return "4-3"
	case r > 0.87:
		return "1-1"
	case r > 0.65:
		return "3-4"
	}
	return "9-16"
}

// Sick gives the source of a camera that a person would ask about first, if any.
func Sick(c api.Camera) (api.Source, bool) {
	for _, s := range c.Sources {
		if Real(s) && (s.State == "locked" || s.State == "waiting") {
			return s, true
		}
	}
	return api.Source{}, false
}
