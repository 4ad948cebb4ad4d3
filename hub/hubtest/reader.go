package hubtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// Reader reads a stream by RTSP as a recorder does, and counts what is missing.
type Reader struct {
	UDP bool

	client gortsplib.Client
	wire   *stopcock // of a reader by TCP

	mu     sync.Mutex
	asked  time.Time
	first  time.Duration // from PLAY to the first packet of the picture
	tracks map[*description.Media]*counted
}

type counted struct {
	last                uint16
	packets, gaps, lost int
	bytes               int64
}

// Missing is what a reader has, and has not.
type Missing struct {
	Packets int           // that came
	Gaps    int           // places at which the sequence number jumped
	Lost    int           // packets that were not there
	Bytes   int64         // of payload
	Tracks  int           // with at least one packet
	First   time.Duration // from PLAY to the first packet
}

// StartReader reads the address, which has the login in it, until the test ends.
func StartReader(tb testing.TB, url string, udp bool) *Reader {
	tb.Helper()
	r, err := OpenReader(url, udp)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
	return r
}

// OpenReader is StartReader with its refusal.
func OpenReader(url string, udp bool) (*Reader, error) {
	u, err := base.ParseURL(url)
	if err != nil {
		return nil, err
	}
	r := &Reader{UDP: udp, tracks: map[*description.Media]*counted{}}
	protocol := gortsplib.ProtocolTCP
	if udp {
		protocol = gortsplib.ProtocolUDP
	}
	r.client = gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Protocol: &protocol, UDPReadBufferSize: 1 << 20,
		// A reader that waits for a frozen wire is to stay where it is.
		ReadTimeout: 5 * time.Minute,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			r.wire = &stopcock{Conn: c, open: make(chan struct{}), ended: make(chan struct{})}
			close(r.wire.open)
			return r.wire, nil
		},
		OnPacketsLost: func(uint64) {}, // counted below, by TCP as well
		OnDecodeError: func(error) {},
	}
	if err := r.client.Start(); err != nil {
		return nil, err
	}
	if err := r.play(u); err != nil {
		r.client.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) play(u *base.URL) error {
	desc, _, err := r.client.Describe(u)
	if err != nil {
		return err
	}
	if len(desc.Medias) == 0 {
		return errors.New("reader: nothing is described")
	}
	if err := r.client.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		return err
	}
	r.client.OnPacketRTPAny(r.take)
	r.mu.Lock()
	r.asked = time.Now()
	r.mu.Unlock()
	_, err = r.client.Play(nil)
	return err
}

func (r *Reader) take(m *description.Media, _ format.Format, p *rtp.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.tracks[m]
	if c == nil {
		c = &counted{last: p.SequenceNumber - 1}
		r.tracks[m] = c
	}
	if r.first == 0 {
		r.first = time.Since(r.asked)
	}
	if d := p.SequenceNumber - c.last; d != 1 {
		c.gaps++
		c.lost += int(d) - 1
	}
	c.last = p.SequenceNumber
	c.packets++
	c.bytes += int64(len(p.Payload))
}

// Missing is what the reader counted so far.
func (r *Reader) Missing() (m Missing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.tracks {
		m.Packets += c.packets
		m.Gaps += c.gaps
		m.Lost += c.lost
		m.Bytes += c.bytes
		m.Tracks++
	}
	m.First = r.first
	return m
}

func (m Missing) String() string {
	return fmt.Sprintf("%d packets of %d tracks, %d gaps (%d lost), first after %s", m.Packets, m.Tracks, m.Gaps, m.Lost, m.First.Round(time.Millisecond))
}

// Freeze stops reading from the connection, as a process does that is stopped, until
// Thaw. A reader by UDP cannot be frozen.
func (r *Reader) Freeze() {
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	r.wire.open = make(chan struct{})
	if tcp, ok := r.wire.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(16 << 10) // a hint; the less it holds, the sooner the sender sees
	}
}

// Thaw lets it read again.
func (r *Reader) Thaw() {
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	close(r.wire.open)
}

// Close ends it.
func (r *Reader) Close() {
	r.wire.once.Do(func() { close(r.wire.ended) })
	r.client.Close()
}

// Wait comes back when the connection has ended, with why.
func (r *Reader) Wait() error { return r.client.Wait() }

// stopcock is a connection whose reading can be held up.
type stopcock struct {
	net.Conn
	ended chan struct{}
	once  sync.Once

	mu   sync.Mutex
	open chan struct{} // closed: what comes is read
}

func (s *stopcock) Read(b []byte) (int, error) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	select {
	case <-open:
	case <-s.ended:
		return 0, net.ErrClosed
	}
	return s.Conn.Read(b)
}
