package server

import (
	"context"
	"strconv"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
)

// again is how long after an announcement that failed the next one is tried.
const again = 10 * time.Second

// Reannounce brings the announced record up to date; it returns at once.
func (s *Server) Reannounce() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// announce keeps the record standing and true until ctx ends.
func (s *Server) announce(ctx context.Context, port int) {
	if s.o.Announcer == nil {
		return
	}
	var record Announced
	defer func() {
		s.setRecord(nil)
		if record != nil {
			record.Close()
		}
	}()
	for {
		var err error
		if record == nil {
			record, err = s.o.Announcer.Announce(ctx, Announcement{Name: s.o.Name, Port: port, TXT: s.txt()})
		} else {
			err = record.Update(s.txt())
		}
		var retry <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("the accessory is not announced as it is; tried again soon", "name", s.o.Name, "error", err)
			retry = time.After(again)
		default:
			s.setRecord(record)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-retry:
		}
	}
}

func (s *Server) setRecord(r Announced) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record = r
}

// txt is what the record says (HAP table 6-7).
func (s *Server) txt() map[string]string {
	id := s.o.Book.Identity()
	sf := "1" // not paired
	if s.Paired() {
		sf = "0"
	}
	return map[string]string{
		"c#": strconv.FormatUint(uint64(s.config), 10),
		"ff": "0",
		"id": id.Device,
		"md": s.o.Model,
		"pv": "1.1",
		"s#": "1",
		"sf": sf,
		"ci": strconv.Itoa(int(s.o.Category)),
		"sh": setup.Hash(id.SetupID, id.Device),
	}
}
