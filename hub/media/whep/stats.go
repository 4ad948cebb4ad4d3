package whep

import (
	"cmp"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// SessionStats is how one viewer fares.
type SessionStats struct {
	ID, Camera, Stream, Name string
	// Rendition is copy, or "converted: " and why.
	Rendition string
	Video     av.Codec // empty: no picture
	Sound     av.Codec // empty: no sound
	Since     time.Time
	// State of ICE: checking, connected, disconnected.
	State string
	// Transport is udp or tcp; empty, as are the addresses, before it is connected.
	Transport, Local, Remote string
	// Connected and First are how long after the offer the connection stood, and the first
	// picture had left; 0: not yet.
	Connected, First time.Duration
	Packets, Bytes   uint64 // of payloads, without what was repeated
	// Asked for again and repeated packets.
	Asked, Repeated uint64
	// KeyAsked is how often the browser asked for a key frame, Rewound how often it was
	// sent the newest one again.
	KeyAsked, Rewound uint64
	SkippedGOPs       uint64
	// Loss is the part of the packets lost before the last report, 0 to 1.
	Loss      float64
	RoundTrip time.Duration
	Restarts  uint64 // of ICE
	MaySpeak  bool
	Speaking  bool // somebody listens to the page
}

// Stats of all sessions, oldest first.
func (s *Server) Stats() []SessionStats {
	var out []SessionStats
	for _, x := range s.all() {
		out = append(out, x.stats())
	}
	slices.SortFunc(out, func(a, b SessionStats) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (x *session) stats() SessionStats {
	c := &x.stat
	state, _ := c.state.Load().(string)
	st := SessionStats{
		ID: x.id, Camera: x.camera, Stream: x.stream, Name: x.viewer.Name, Rendition: x.rendition(), Since: x.since,
		Video: x.choice.VideoCodec, Sound: x.choice.AudioCodec,
		State:     cmp.Or(state, "new"),
		Connected: time.Duration(c.connected.Load()), First: time.Duration(c.first.Load()),
		Asked: c.nacks.Load(), Repeated: c.repeated.Load(), KeyAsked: c.keyAsked.Load(), Rewound: c.rewound.Load(),
		SkippedGOPs: c.skipped.Load(), Loss: float64(c.lost.Load()) / 256, RoundTrip: time.Duration(c.roundTrip.Load()),
		Restarts: c.restarts.Load(), MaySpeak: x.speech != nil,
	}
	if p := x.path.Load(); p != nil {
		st.Transport, st.Local, st.Remote = p.transport, p.local.String(), p.remote.String()
	}
	x.mu.Lock()
	r := x.reader
	x.mu.Unlock()
	if r != nil {
		st.SkippedGOPs += r.Stats().SkippedGOPs
	}
	for _, o := range []*outlet{x.video, x.sound} {
		if o == nil {
			continue
		}
		o.mu.Lock()
		st.Packets += uint64(o.packets)
		st.Bytes += o.total
		o.mu.Unlock()
	}
	if x.speech != nil {
		x.speech.mu.Lock()
		st.Speaking = x.speech.put != nil
		x.speech.mu.Unlock()
	}
	return st
}
