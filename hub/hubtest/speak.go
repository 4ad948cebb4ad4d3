package hubtest

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// Speech is a tone that is sent to a camera by the back channel of its RTSP stream.
type Speech struct {
	client gortsplib.Client
	stop   chan struct{} // closed to end it
	once   sync.Once
	wg     sync.WaitGroup
}

// Speak sends a tone in PCMU until it is closed or the test ends, by the channel that
// the address, which has the login in it, offers for that.
func Speak(tb testing.TB, url string, hz float64) (*Speech, error) {
	tb.Helper()
	u, err := base.ParseURL(url)
	if err != nil {
		return nil, err
	}
	tcp := gortsplib.ProtocolTCP
	s := &Speech{stop: make(chan struct{}), client: gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &tcp, RequestBackChannels: true}}
	if err := s.client.Start(); err != nil {
		return nil, err
	}
	m, err := s.open(u)
	if err != nil {
		s.client.Close()
		return nil, err
	}
	s.wg.Go(func() { s.run(m, hz) })
	tb.Cleanup(s.Close)
	return s, nil
}

func (s *Speech) open(u *base.URL) (*description.Media, error) {
	desc, _, err := s.client.Describe(u)
	if err != nil {
		return nil, err
	}
	for _, m := range desc.Medias {
		g711, ok := m.Formats[0].(*format.G711)
		if !m.IsBackChannel || !ok || !g711.MULaw {
			continue
		}
		if _, err := s.client.Setup(desc.BaseURL, m, 0, 0); err != nil {
			return nil, err
		}
		_, err := s.client.Play(nil)
		return m, err
	}
	return nil, errors.New("speak: no back channel for PCMU is offered")
}

func (s *Speech) run(m *description.Media, hz float64) {
	const rate, each = 8000, 160 // 20 ms
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		b := make([]byte, each)
		for i := range b {
			b[i] = muLaw(0.5 * math.Sin(2*math.Pi*hz*float64(n*each+i)/rate))
		}
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(n * each), SSRC: 7, Marker: n == 0}, Payload: b}
		if s.client.WritePacketRTP(m, p) != nil {
			return // the other side ended it
		}
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
	}
}

// Close ends it.
func (s *Speech) Close() {
	s.once.Do(func() { close(s.stop) })
	s.wg.Wait()
	s.client.Close()
}

// muLaw is one sample of ITU-T G.711.
func muLaw(v float64) byte {
	var sign byte
	n := int(v * 32767)
	if n < 0 {
		n, sign = -n, 0x80
	}
	n = min(n+132, 32767)
	exponent := 7
	for mask := 0x4000; n&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	return ^(sign | byte(exponent<<4) | byte(n>>(exponent+3)&15))
}
