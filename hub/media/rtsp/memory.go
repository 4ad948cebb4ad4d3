package rtsp

import "slices"

// memoryVersion is the newest form of Memory; what is newer is not used.
const memoryVersion = 1

// Memory is what worked with a camera, so that the next pull begins with it. It is small
// and holds no secret. The zero value knows nothing.
type Memory struct {
	Version    int      `json:"version"`
	NoRange    bool     `json:"no_range,omitempty"`    // PLAY is refused with a Range
	NoTalk     bool     `json:"no_talk,omitempty"`     // DESCRIBE is refused when the back channel is asked for
	TalkVideo  bool     `json:"talk_video,omitempty"`  // the back channel is had only with all that it sends
	NoKeyAsk   bool     `json:"no_key_ask,omitempty"`  // a wish for a key frame ends the connection
	NoOptions  bool     `json:"no_options,omitempty"`  // OPTIONS ends the connection
	Keepalive  string   `json:"keepalive,omitempty"`   // both, options, get_parameter; "": as Public says
	Transport  string   `json:"transport,omitempty"`   // udp where tcp is refused
	TrackFirst bool     `json:"track_first,omitempty"` // the track stands before the query
	AnnexB     bool     `json:"annex_b,omitempty"`     // start codes inside RTP
	Slices     bool     `json:"slices,omitempty"`      // the marker ends a slice, not a picture
	Path       string   `json:"path,omitempty"`        // where a redirect on the same host leads
	Auth       string   `json:"auth,omitempty"`        // none, basic, digest-md5, digest-sha256
	SDP        []string `json:"sdp,omitempty"`         // repairs of its description
}

// Worked names what is special about the camera, for people.
func (m Memory) Worked() []string {
	var out []string
	for _, w := range []struct {
		name string
		yes  bool
	}{
		{"no_range", m.NoRange}, {"no_talk", m.NoTalk}, {"talk_video", m.TalkVideo}, {"no_key_ask", m.NoKeyAsk}, {"no_options", m.NoOptions},
		{"keepalive_" + m.Keepalive, m.Keepalive != ""}, {"transport_" + m.Transport, m.Transport != ""},
		{"track_first", m.TrackFirst}, {"annex_b", m.AnnexB}, {"slices", m.Slices},
		{"redirected", m.Path != ""},
	} {
		if w.yes {
			out = append(out, w.name)
		}
	}
	for _, r := range m.SDP {
		out = append(out, "sdp_"+r)
	}
	return out
}

// with takes over the quirks that a target names, by these names or those of docs/protocol.md.
func (m Memory) with(quirks []string) Memory {
	has := func(name string) bool { return slices.Contains(quirks, name) }
	m.NoRange = m.NoRange || has("no_range") || has("play_without_range")
	m.NoTalk = m.NoTalk || has("no_talk") || has("no_backchannel")
	m.NoKeyAsk = m.NoKeyAsk || has("no_key_ask")
	m.TalkVideo = m.TalkVideo || has("talk_video")
	m.NoOptions = m.NoOptions || has("no_options")
	m.TrackFirst = m.TrackFirst || has("track_first")
	m.Slices = m.Slices || has("slices")
	for _, k := range []string{"both", "options", "get_parameter"} {
		if has("keepalive_" + k) {
			m.Keepalive = k
		}
	}
	return m
}

func (m Memory) equal(o Memory) bool {
	return m.Version == o.Version && m.NoRange == o.NoRange && m.NoTalk == o.NoTalk && m.TalkVideo == o.TalkVideo && m.NoKeyAsk == o.NoKeyAsk && m.NoOptions == o.NoOptions &&
		m.Keepalive == o.Keepalive && m.Transport == o.Transport && m.TrackFirst == o.TrackFirst &&
		m.AnnexB == o.AnnexB && m.Slices == o.Slices && m.Path == o.Path && m.Auth == o.Auth && slices.Equal(m.SDP, o.SDP)
}
