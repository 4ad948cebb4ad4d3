package restream

import (
	"cmp"
	"slices"
	"time"
)

// Stats of the server.
type Stats struct {
	Readers []ReaderStats
	Ended   []ReaderStats // the last that went, oldest first
	Feeds   []FeedStats
	Refused uint64 // connections and passwords
}

// ReaderStats is what a reader got and missed.
type ReaderStats struct {
	ID             uint64
	Camera, Stream string
	User, Name     string // Name is the password's
	Address, Agent string
	Transport      string // tcp, udp
	Rendition      string // copy, or "converted: " and why
	Since          time.Time

	Units, Packets, Bytes uint64
	SkippedGOPs           uint64
	Lag                   time.Duration // age of the oldest unit that it has not taken

	Talks       bool
	TalkRefused string // why it may not speak now
	Ended       string // why it went
}

// FeedStats is one stream that is made into packets.
type FeedStats struct {
	Camera, Stream, Rendition string
	Readers                   int
	Bytes                     int // kept
}

// Stats of now.
func (s *Server) Stats() Stats {
	var st Stats
	for _, c := range s.all() {
		if ses := c.session(); ses != nil && ses.plays.Load() {
			st.Readers = append(st.Readers, ses.stats())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Ended = slices.Clone(s.ended)
	st.Refused = s.refused.Load()
	for src, f := range s.feeds {
		st.Feeds = append(st.Feeds, FeedStats{src.Camera, src.Stream, f.How(), f.users, f.Bytes()})
	}
	slices.SortFunc(st.Feeds, func(a, b FeedStats) int {
		return cmp.Or(cmp.Compare(a.Camera, b.Camera), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Rendition, b.Rendition))
	})
	return st
}

func (s *session) stats() ReaderStats {
	c := s.c
	st := ReaderStats{
		ID: c.id, Camera: s.feed.Camera, Stream: s.feed.Stream, Address: c.host, Transport: "tcp",
		User: s.who.Viewer.User, Name: s.who.Viewer.Name,
		Rendition: s.feed.How(), Since: s.since,
		Units: s.units.Load(), Packets: s.packets.Load(), Bytes: s.bytes.Load(), SkippedGOPs: s.skips.Load(),
	}
	if s.udp {
		st.Transport = "udp"
	}
	c.mu.Lock()
	st.Agent = c.agent
	c.mu.Unlock()
	s.mu.Lock()
	cur := s.cursor
	s.mu.Unlock()
	if cur != nil {
		gops, lag := cur.Missed()
		st.SkippedGOPs += gops
		st.Lag = lag
	}
	if s.speech != nil {
		st.Talks, st.TalkRefused = s.speech.state()
	}
	return st
}
