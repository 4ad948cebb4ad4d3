package badcam

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// track is one stream that was asked for, in the order of asking.
type track struct {
	channel int // of TCP; -1: by UDP
	conn    *net.UDPConn
	to      *net.UDPAddr
}

func (s *session) setup(q *Request, a *Answer) {
	asked := q.Header["transport"]
	timeout := 60
	if s.c.o.Timeout > 0 {
		timeout = max(1, int(s.c.o.Timeout/time.Second))
	}
	a.Lines = []string{fmt.Sprintf("Session: 4711;timeout=%d", timeout)}
	if m := regexp.MustCompile(`interleaved=(\d+)-\d+`).FindStringSubmatch(asked); m != nil {
		n, _ := strconv.Atoi(m[1])
		s.tracks = append(s.tracks, track{channel: n})
		a.Lines = append(a.Lines, "Transport: "+asked)
		return
	}
	m := regexp.MustCompile(`client_port=(\d+)-(\d+)`).FindStringSubmatch(asked)
	if m == nil {
		a.Fail(461, "Unsupported Transport")
		return
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		a.Fail(500, "Internal Server Error")
		return
	}
	port, _ := strconv.Atoi(m[1])
	s.tracks = append(s.tracks, track{channel: -1, conn: conn, to: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}})
	n := len(s.tracks) - 1
	s.player.Go(func() { // ends as the port is closed
		buf := make([]byte, 64<<10)
		for {
			k, err := conn.Read(buf)
			if err != nil {
				return
			}
			if s.c.o.Heard != nil {
				s.c.o.Heard(n, false, buf[:k])
			}
		}
	})
	own := conn.LocalAddr().(*net.UDPAddr).Port
	a.Lines = append(a.Lines, fmt.Sprintf("Transport: RTP/AVP;unicast;client_port=%s-%s;server_port=%d-%d", m[1], m[2], own, own+1))
}

func (s *session) play() {
	f := s.c.o.Play
	if f == nil {
		f = func(p *Player) { p.Film(H264()) }
	}
	p := &Player{s: s, Done: s.done}
	s.player.Go(func() {
		f(p)
		s.closePorts()
	})
}

func (s *session) closePorts() {
	for _, t := range s.tracks {
		if t.conn != nil {
			t.conn.Close()
		}
	}
}

// Player sends packets.
type Player struct {
	s    *session
	Done <-chan struct{} // closed when the connection ends
	// Shift is added to the channels that were asked for.
	Shift int
}

// Send sends one packet of a track, numbered as they were set up; false: the connection has ended.
func (p *Player) Send(n int, rtcp bool, payload []byte) bool {
	if n >= len(p.s.tracks) {
		return false
	}
	t := p.s.tracks[n]
	if t.conn != nil {
		to := *t.to
		if rtcp {
			to.Port++
		}
		_, _ = t.conn.WriteToUDP(payload, &to) // who does not listen yet loses it, as by UDP
		return p.alive()
	}
	ch := t.channel + p.Shift
	if rtcp {
		ch++
	}
	_, err := p.s.write(append([]byte{'$', byte(ch), byte(len(payload) >> 8), byte(len(payload))}, payload...))
	return err == nil
}

// Raw sends bytes as they are.
func (p *Player) Raw(b []byte) bool {
	_, err := p.s.write(b)
	return err == nil
}

func (p *Player) alive() bool {
	select {
	case <-p.Done:
		return false
	default:
		return true
	}
}

// Wait waits as long as a picture lasts; false: the connection has ended.
func (p *Player) Wait() bool {
	t := time.NewTimer(PictureTime)
	defer t.Stop()
	select {
	case <-p.Done:
		return false
	case <-t.C:
		return true
	}
}

// Film plays pictures over and over on the first track, each NAL unit in a packet.
func (p *Player) Film(f Film) {
	p.Packets(func(i int) [][]byte {
		return f.Pictures[i%len(f.Pictures)]
	}, nil)
}

// Packets plays what payloads gives for each picture; marker, if set, says where the marker
// stands (else on the last packet of a picture).
func (p *Player) Packets(payloads func(i int) [][]byte, marker func(i, j, n int) bool) {
	var seq uint16
	for i := 0; ; i++ {
		all := payloads(i)
		for j, b := range all {
			seq++
			m := j == len(all)-1
			if marker != nil {
				m = marker(i, j, len(all))
			}
			if !p.Send(0, false, RTP(96, seq, uint32(1000+i*Ticks), m, b)) {
				return
			}
		}
		if !p.Wait() {
			return
		}
	}
}

// RTP makes a packet.
func RTP(typ uint8, seq uint16, at uint32, marker bool, payload []byte) []byte {
	b := []byte{0x80, typ, byte(seq >> 8), byte(seq), byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at), 0, 0, 0x47, 0x11}
	if marker {
		b[1] |= 0x80
	}
	return append(b, payload...)
}

// SDP describes Film.
func SDP() string {
	return Describe("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1; sprop-parameter-sets="+Sprop(), "a=control:track0")
}

// Describe makes a description of the lines below the session's own.
func Describe(lines ...string) string {
	return strings.Join(append([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=badcam", "t=0 0", "a=control:*"}, lines...), "\r\n") + "\r\n"
}
