package rtsp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxSpeech is the most bytes of one packet's payload: 20 ms are far less in any codec.
	maxSpeech = 1400
	// behind: speech that is later than this against its time stamps begins a new count.
	behind = 60 * time.Millisecond
)

// sender makes packets of speech.
type sender struct {
	m      *mouth
	packet rtp.Packet
	buf    []byte
	base   uint32    // time stamp of pts 0
	start  time.Time // when the unit of first was due
	first  int64
	begun  bool
	count  uint32
	octets uint32
	report time.Time
}

// send gives the camera units as they are due, until one cannot be had or sent.
func (m *mouth) send(ctx context.Context) error {
	o := &sender{m: m, base: rand.Uint32(), report: m.s.o.Now(), packet: rtp.Packet{Header: rtp.Header{
		Version: 2, PayloadType: m.format.Type, SSRC: rand.Uint32(), SequenceNumber: uint16(rand.Uint32()), // any will do (RFC 3550 5.1)
	}}}
	for {
		u, err := m.sp.Next(ctx)
		if err != nil {
			return err
		}
		if err := o.wait(ctx, u); err != nil {
			return err
		}
		if err := o.unit(u); err != nil {
			return m.s.cause("send", err)
		}
	}
}

// wait until u is due: a camera's buffer is small, and what comes in a heap overruns it.
func (o *sender) wait(ctx context.Context, u *av.Unit) error {
	now := o.m.s.o.Now()
	due := o.start.Add(o.m.sp.Track.Duration(u.PTS - o.first))
	ahead := due.Sub(now)
	if !o.begun || u.Discontinuity || ahead < -behind || ahead > time.Second {
		o.packet.Marker = !o.begun || u.Discontinuity // speech begins (RFC 3551 4.1)
		o.begun, o.start, o.first = true, now, u.PTS
		return nil
	}
	if ahead <= 0 {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unit sends one unit, in pieces where it is too large for a packet.
func (o *sender) unit(u *av.Unit) error {
	track := o.m.sp.Track
	width := 0 // bytes of a tick; 0: the unit cannot be parted
	switch track.Codec {
	case av.PCMU, av.PCMA:
		width = max(1, track.Channels)
	case av.L16:
		width = 2 * max(1, track.Channels)
	}
	data, at := u.Data, u.PTS
	for len(data) > 0 {
		n := len(data)
		if n > maxSpeech {
			if width == 0 {
				return fmt.Errorf("a unit of %d bytes", n)
			}
			n = maxSpeech / width * width
		}
		if err := o.write(at, data[:n]); err != nil {
			return err
		}
		data = data[n:]
		if width > 0 {
			at += int64(n / width)
		}
	}
	return nil
}

func (o *sender) write(at int64, payload []byte) error {
	p := &o.packet
	p.Timestamp, p.Payload = o.base+uint32(at), payload
	if n := p.MarshalSize(); n > len(o.buf) {
		o.buf = make([]byte, n)
	}
	n, err := p.MarshalTo(o.buf)
	if err != nil {
		return err
	}
	if err := o.out(false, o.buf[:n]); err != nil {
		return err
	}
	p.SequenceNumber++
	p.Marker = false
	o.count++
	o.octets += uint32(len(payload))
	if now := o.m.s.o.Now(); now.Sub(o.report) >= reportEvery {
		o.report = now
		return o.tell(now)
	}
	return nil
}

// tell says what was sent (RFC 3550 6.4.1).
func (o *sender) tell(now time.Time) error {
	const epoch = 2208988800 // seconds from 1900 to 1970
	ntp := uint64(now.Unix()+epoch)<<32 | uint64(now.Nanosecond())<<32/1_000_000_000
	r := rtcp.SenderReport{SSRC: o.packet.SSRC, NTPTime: ntp, RTPTime: o.packet.Timestamp, PacketCount: o.count, OctetCount: o.octets}
	b, err := r.Marshal()
	if err != nil {
		return err
	}
	return o.out(true, b)
}

func (o *sender) out(rtcp bool, b []byte) error {
	if o.m.pair != nil {
		o.m.pair.Send(rtcp, b)
		return nil
	}
	ch := o.m.ch
	if rtcp {
		ch++
	}
	return o.m.s.conn.SendFrame(ch, b)
}
