package rtsp

import (
	"maps"
	"net"
	"slices"

	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
)

// setup asks for each stream. Without pictures there is nothing to play; a sound that is
// refused is done without.
func (s *session) setup() error {
	wanted := s.play.streams
	s.play.streams = nil
	for _, st := range wanted {
		err := s.setupOne(st, len(s.play.streams))
		var f *Fault
		if asFault(err, &f) && f.Status >= 400 && f.Status != 401 && st.media.Kind == "audio" && (s.play.video || len(wanted) > 1) && !s.without("sound_refused") {
			s.log.Info("the camera gives no sound", "why", f.Why)
			continue
		}
		if err != nil {
			return err
		}
		s.play.streams = append(s.play.streams, st)
	}
	if len(s.play.streams) == 0 {
		return s.fault(NoMedia, "setup", "the camera refuses every stream", nil)
	}
	return nil
}

func (s *session) setupOne(st *stream, i int) error {
	asked, pair, err := s.transport(i)
	if err != nil {
		return s.fault(Protocol, "setup", err.Error(), err)
	}
	m, err := s.ask(st.media.Control, asked, nil)
	if err != nil {
		return s.cause("setup", err)
	}
	if m.Status == 461 && !s.udp() && s.t.Transport == "" && !s.without("transport_udp") {
		s.mem.Transport = "udp"
		return &again{"it takes UDP only"}
	}
	if m.Status != 200 {
		return s.refused("setup", m)
	}
	got, err := dialog.TransportAnswer(m.Header["transport"], asked, s.without)
	if err != nil {
		return s.fault(Protocol, "setup", err.Error(), err)
	}
	s.timeout = dialog.SessionTimeout(m)
	if pair == nil {
		ch := got.InterleavedIDs
		if s.without("other_channels") {
			ch = asked.InterleavedIDs
		}
		s.channels[ch[0]] = channel{s: st}
		s.channels[ch[1]] = channel{s: st, rtcp: true}
		return nil
	}
	var ports [2]int
	if got.ServerPorts != nil {
		ports = *got.ServerPorts
	}
	if peer, ok := s.conn.Peer().(*net.TCPAddr); ok {
		pair.Aim(peer.AddrPort().Addr(), ports)
	}
	return nil
}

// transport is what SETUP asks for.
func (s *session) transport(i int) (headers.Transport, *dialog.Pair, error) {
	unicast := headers.TransportDeliveryUnicast
	if !s.udp() {
		return headers.Transport{
			Protocol: headers.TransportProtocolTCP, Delivery: &unicast, InterleavedIDs: &[2]int{2 * i, 2*i + 1},
		}, nil, nil
	}
	packet := dialog.LargestUDP
	if s.without("large_packets") {
		packet = 1472
	}
	pair, err := dialog.Listen(s.conn.Local(), packet)
	if err != nil {
		return headers.Transport{}, nil, err
	}
	s.pairs = append(s.pairs, pair)
	a, b := pair.Ports()
	return headers.Transport{Protocol: headers.TransportProtocolUDP, Delivery: &unicast, ClientPorts: &[2]int{a, b}}, pair, nil
}

// ask sends SETUP to the track's address, and where the camera does not know that to the
// other ways of writing it.
func (s *session) ask(control string, t headers.Transport, more dialog.Header) (*dialog.Message, error) {
	h := dialog.Header{"Transport": t.Marshal()}
	maps.Copy(h, more)
	u := s.at.url
	first := dialog.ControlURL(u, s.base, control, s.mem.TrackFirst)
	m, err := s.conn.Do("SETUP", first, h)
	if err != nil || !slices.Contains([]int{400, 404, 454, 500}, m.Status) || s.without("control_query") {
		return m, err
	}
	for _, other := range []struct {
		from  string
		first bool
	}{{s.base, !s.mem.TrackFirst}, {u.String(), false}, {u.String(), true}} {
		to := dialog.ControlURL(u, other.from, control, other.first)
		if to == first {
			continue
		}
		m2, err := s.conn.Do("SETUP", to, h)
		if err != nil {
			return nil, err
		}
		if m2.Status == 200 {
			if other.from == s.base {
				s.mem.TrackFirst = other.first
			} else {
				s.base = other.from
			}
			return m2, nil
		}
	}
	return m, nil
}

func (s *session) closePairs() {
	for _, p := range s.pairs {
		p.Close()
	}
	s.readers.Wait()
	s.pairs = nil
}
