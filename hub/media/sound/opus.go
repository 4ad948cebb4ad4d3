package sound

import (
	"errors"
	"fmt"
	"time"

	"github.com/pion/opus"
	"github.com/thesyncim/gopus"
)

const (
	// opusClock is the clock of Opus whatever the sound (RFC 7587 4.1).
	opusClock = 48000
	// maxPacket is more than 120 ms in the largest frames (RFC 6716 3.2.1: 1275 bytes each).
	maxPacket = 8 << 10
	// longest sound of one packet: 120 ms at 48 kHz.
	maxPacketSamples = opusClock * 120 / 1000
	// maxFaults: a codec that broke so often is not made again.
	maxFaults = 3
)

// errFault: the codec itself broke, not only the packet.
var errFault = errors.New("opus: the codec broke")

// opusRate is the lowest rate that Opus knows and that keeps all of a sound of rate.
func opusRate(rate int) int {
	for _, r := range []int{8000, 12000, 16000, 24000} {
		if rate <= r {
			return r
		}
	}
	return 48000
}

// contain calls f, and makes an error of a panic in it: packets come that were made to
// break what reads them.
func contain(f func() (int, error)) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("%w: %v", errFault, p)
		}
	}()
	return f()
}

// opusDecoder makes mono of packets.
type opusDecoder struct {
	rate   int
	dec    opus.Decoder
	pcm    []int16
	faults int
}

func newOpusDecoder(rate int) (*opusDecoder, error) {
	d := &opusDecoder{rate: rate, pcm: make([]int16, maxPacketSamples)}
	return d, d.renew()
}

func (d *opusDecoder) renew() error {
	_, err := contain(func() (n int, err error) {
		d.dec, err = opus.NewDecoderWithOutput(d.rate, 1)
		return 0, err
	})
	return err
}

func (d *opusDecoder) decode(packet []byte) ([]int16, error) {
	if len(packet) == 0 || len(packet) > maxPacket {
		return nil, fmt.Errorf("opus: packet of %d bytes", len(packet))
	}
	if d.faults >= maxFaults {
		return nil, errFault
	}
	n, err := contain(func() (int, error) { return d.dec.DecodeToInt16(packet, d.pcm) })
	if err == nil && (n < 0 || n > len(d.pcm)) {
		err = fmt.Errorf("%w: %d samples", errFault, n)
	}
	if errors.Is(err, errFault) {
		d.faults++
		err = errors.Join(err, d.renew())
	}
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return d.pcm[:n], nil
}

func (d *opusDecoder) reset() {
	if err := d.renew(); err != nil {
		d.faults = maxFaults
	}
}

// opusEncoder makes packets of 20 ms of mono, of one size (CBR).
type opusEncoder struct {
	enc    *gopus.Encoder
	packet []byte
	faults int
}

// complexity of 10 at which nobody hears the difference.
const complexity = 5

func newOpusEncoder(rate, bitrate int, speech bool) (*opusEncoder, error) {
	c := gopus.EncoderConfig{SampleRate: rate, Channels: 1, Application: gopus.ApplicationAudio}
	if speech {
		c.Application = gopus.ApplicationVoIP
	}
	e := &opusEncoder{packet: make([]byte, maxPacket)}
	_, err := contain(func() (n int, err error) {
		if e.enc, err = gopus.NewEncoder(c); err != nil {
			return 0, err
		}
		return 0, errors.Join(e.enc.SetFrameSize(rate/perSecond), e.enc.SetBitrateMode(gopus.BitrateModeCBR),
			e.enc.SetBitrate(bitrate), e.enc.SetComplexity(complexity))
	})
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return e, nil
}

// encode makes one packet of rate/50 samples.
func (e *opusEncoder) encode(pcm []int16) ([]byte, error) {
	if e.faults >= maxFaults {
		return nil, errFault
	}
	n, err := contain(func() (int, error) { return e.enc.EncodeInt16(pcm, e.packet) })
	if err == nil && (n <= 0 || n > len(e.packet)) {
		err = fmt.Errorf("%w: a packet of %d bytes", errFault, n)
	}
	if errors.Is(err, errFault) {
		e.faults++
	}
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return append([]byte(nil), e.packet[:n]...), nil
}

func (e *opusEncoder) reset() {
	if _, err := contain(func() (int, error) { e.enc.Reset(); return 0, nil }); err != nil {
		e.faults = maxFaults
	}
}

// OpusLength is how long the sound of a packet is, by its head (RFC 6716 3.1, 3.2); 0: it
// is no packet.
func OpusLength(packet []byte) time.Duration {
	if len(packet) == 0 {
		return 0
	}
	const us = time.Microsecond
	frame := []time.Duration{10000 * us, 20000 * us, 40000 * us, 60000 * us}[packet[0]>>3&3] // SILK
	switch config := packet[0] >> 3; {
	case config >= 16: // CELT
		frame = 2500 * us << (config & 3)
	case config >= 12: // both
		frame = 10000 * us << (config & 1)
	}
	n := 1
	switch packet[0] & 3 {
	case 1, 2:
		n = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		n = int(packet[1] & 63)
	}
	if d := frame * time.Duration(n); d <= 120*time.Millisecond {
		return d
	}
	return 0
}
