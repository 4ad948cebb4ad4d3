package pages

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// Above these a person is told what to change at the camera.
const (
	longGOP    = 4 * time.Second  // a viewer waits for a key frame
	oldPicture = 10 * time.Second // of a stream that is called live
)

// sourceView is one stream of a camera as people read it.
type sourceView struct {
	api.Source
	Title  string
	Tone   string // ok, warn, bad, busy, grey
	Word   string
	Says   string // what is wrong, in words for people; Reason is its exact cause
	Wait   string // until the next try
	Idle   string // why there is no picture, where that is as it should be
	Facts  []fact
	Advice []string
}

// fact is one line of a list of facts.
type fact struct{ Name, Value string }

// Retryable tells whether trying now would do anything.
func (v sourceView) Retryable() bool { return v.State == "waiting" || v.State == "locked" }

func (p *pages) sourceViews(c api.Camera) []sourceView {
	var out []sourceView
	for _, s := range c.Sources {
		v := sourceView{Source: s, Title: streamName(s.Stream), Facts: facts(s), Advice: advice(s)}
		v.Tone, v.Word = sourceState(s)
		if v.Says, v.Reason = p.inWords(s), bare(s.Reason); v.Says == v.Reason {
			v.Reason = ""
		}
		switch s.State {
		case "waiting", "locked":
			if wait := s.NextTry.Sub(p.now()); !s.NextTry.IsZero() && wait > 0 {
				v.Wait = rough(wait)
			}
		case "off":
			if s.Code == "" {
				v.Says, v.Reason = "", "" // the next line says it
			}
			v.Idle = "Nobody looks at it. It connects when somebody does."
			if s.Pull == "battery" {
				v.Idle = "It runs on a battery: it is woken by a ring, or when somebody looks."
			}
		}
		out = append(out, v)
	}
	return out
}

func streamName(s string) string {
	switch s {
	case "main":
		return "Main stream"
	case "sub":
		return "Sub stream"
	}
	return capital(s)
}

// sourceState in a tone and words. What is not known is never shown as well.
func sourceState(s api.Source) (tone, word string) {
	switch s.State {
	case "live":
		if age := lastFrame(s); age > oldPicture {
			return "warn", "No picture for " + rough(age)
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

// facts of a source; what is not known is left out.
func facts(s api.Source) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	add("Picture", pictureOf(s))
	if s.FPS > 0 {
		add("Pictures a second", fmt.Sprintf("%.1f", s.FPS))
	}
	add("Bitrate", bitrate(s.BitrateKbps))
	if s.GOPMS > 0 {
		add("Key frame", "every "+short(time.Duration(s.GOPMS)*time.Millisecond))
	}
	if s.LastFrameMS > 0 {
		add("Last picture", short(lastFrame(s))+" ago")
	}
	add("Sound", strings.Join(soundNames(s.Sound), ", "))
	add("Address", s.Address)
	add("Transport", strings.ToUpper(s.Transport))
	add("Names itself", s.Server)
	add("Pulled", map[string]string{"always": "always", "on_demand": "when somebody looks", "battery": "on a ring, or when somebody looks"}[s.Pull])
	if s.RingMS > 0 {
		add("In memory", fmt.Sprintf("%s, %s", short(time.Duration(s.RingMS)*time.Millisecond), byteSize(s.RingBytes)))
	}
	if s.State == "live" || s.State == "pushed" || s.Readers > 0 {
		add("Readers", fmt.Sprint(s.Readers))
	}
	if s.State != "pushed" {
		add("Reconnects", fmt.Sprint(s.Reconnects))
	}
	if s.Repairs > 0 {
		add("Times repaired", fmt.Sprint(s.Repairs))
	}
	if s.SkippedGOPs > 0 {
		add("Left out for slow readers", count(int(s.SkippedGOPs), "key frame interval"))
	}
	add("Worked around", strings.Join(s.Worked, ", "))
	return out
}

func pictureOf(s api.Source) string {
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

func bitrate(kbps int) string {
	switch {
	case kbps <= 0:
		return ""
	case kbps < 1000:
		return fmt.Sprintf("%d kb/s", kbps)
	}
	return fmt.Sprintf("%.1f Mb/s", float64(kbps)/1000)
}

// advice on what the camera's own settings could make better.
func advice(s api.Source) []string {
	var out []string
	if s.Codec == "h265" {
		out = append(out, "Many browsers cannot show H.265. In the camera's own settings set the video encoding of this stream to H.264; until then such a browser gets single pictures, made by `ffmpeg`.")
	}
	if s.GOPMS > longGOP.Milliseconds() {
		out = append(out, "The live picture starts with a key frame, and this stream has one every "+short(time.Duration(s.GOPMS)*time.Millisecond)+". In the camera's own settings set the I-frame interval to 2 seconds, and turn smart coding (H.264+, Zipstream) off.")
	}
	if s.NoPrebuffer {
		out = append(out, "The pictures between two key frames are more than may be kept in memory, so nothing from before a ring is kept. A shorter I-frame interval or a lower bitrate mends it.")
	}
	return out
}

// hasSub tells whether the camera has a smaller stream.
func hasSub(c api.Camera) bool {
	for _, s := range c.Sources {
		if s.Stream == "sub" {
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

// shape of the camera's picture as people see it, as one that the style knows.
func shape(c api.Camera) string {
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

// inWords is what is wrong with a source as people say it: the title that its code has,
// else the reason itself.
func (p *pages) inWords(s api.Source) string {
	if x, ok := p.rooms.Explain.Explain(s.Code); ok && s.Code != "" && x.Title != "" {
		return x.Title
	}
	return bare(s.Reason)
}

// bare is a reason without the address that the page names anyway.
func bare(reason string) string {
	scheme, rest, ok := strings.Cut(reason, " ")
	address, cause, more := strings.Cut(rest, ": ")
	if ok && more && strings.HasPrefix(address, scheme) && strings.Contains(address, "://") && !strings.Contains(address, " ") {
		return cause
	}
	return reason
}

// trouble of a camera in one place: the source that a person would ask about first.
func sick(c api.Camera) (api.Source, bool) {
	for _, s := range c.Sources {
		if s.State == "locked" || s.State == "waiting" {
			return s, true
		}
	}
	return api.Source{}, false
}
