package sound

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/kazzmir/opus-go/opus"
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

// contain calls f, and makes an error of a panic or a fault in it: the codec is C turned
// into Go, whose memory is its own affair.
func contain(f func() (int, error)) (n int, err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("%w: %v", errFault, p)
		}
	}()
	return f()
}

// opusDecoder makes mono of packets. Its buffers belong to it, and so to the heap: the
// codec knows them by address only, which a stack that grows would change.
type opusDecoder struct {
	rate   int
	dec    *opus.Decoder
	packet []byte
	pcm    []int16
	faults int
}

//go:noinline
func newOpusDecoder(rate int) (*opusDecoder, error) {
	d := &opusDecoder{rate: rate, packet: make([]byte, maxPacket), pcm: make([]int16, maxPacketSamples)}
	return d, d.renew()
}

func (d *opusDecoder) renew() (err error) {
	_, err = contain(func() (int, error) {
		d.dec, err = opus.NewDecoder(d.rate, 1)
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
	n := copy(d.packet, packet)
	n, err := contain(func() (int, error) {
		return d.dec.Decode(d.packet[:n], d.pcm, d.rate*120/1000, false)
	})
	runtime.KeepAlive(d)
	if err == nil && (n < 0 || n > len(d.pcm)) {
		err = fmt.Errorf("%w: %d samples", errFault, n)
	}
	if errors.Is(err, errFault) {
		d.faults++
		err = errors.Join(err, d.renew()) // the old one's memory is not trusted, not even to free it
	}
	if err != nil {
		return nil, err
	}
	return d.pcm[:n], nil
}

func (d *opusDecoder) reset() {
	if err := d.renew(); err != nil {
		d.faults = maxFaults
	}
}

func (d *opusDecoder) close() {
	_, _ = contain(func() (int, error) { return 0, d.dec.Close() }) // its memory goes with it
}

// opusEncoder makes packets of 20 ms of mono, of one size (CBR).
type opusEncoder struct {
	rate, bitrate int
	enc           *opus.Encoder
	pcm           []int16
	packet        []byte
	faults        int
}

// complexity of 10 at which nobody hears the difference.
const complexity = 5

//go:noinline
func newOpusEncoder(rate, bitrate int) (*opusEncoder, error) {
	e := &opusEncoder{rate: rate, bitrate: bitrate, pcm: make([]int16, rate/perSecond), packet: make([]byte, maxPacket)}
	return e, e.renew()
}

func (e *opusEncoder) renew() error {
	_, err := contain(func() (int, error) {
		// The library's half for speech (SILK) makes noise; this one never takes it, and is
		// 4 ms faster besides.
		enc, err := opus.NewEncoder(e.rate, 1, opus.ApplicationRestrictedLowDelay)
		if err != nil {
			return 0, err
		}
		e.enc = enc
		return 0, errors.Join(enc.SetVBR(false), enc.SetBitrate(e.bitrate), enc.SetComplexity(complexity))
	})
	return err
}

// encode makes one packet of rate/50 samples.
func (e *opusEncoder) encode(pcm []int16) ([]byte, error) {
	if e.faults >= maxFaults {
		return nil, errFault
	}
	copy(e.pcm, pcm)
	n, err := contain(func() (int, error) { return e.enc.Encode(e.pcm, len(e.pcm), e.packet) })
	runtime.KeepAlive(e)
	if err == nil && (n <= 0 || n > len(e.packet)) {
		err = fmt.Errorf("%w: a packet of %d bytes", errFault, n)
	}
	if errors.Is(err, errFault) {
		e.faults++
		err = errors.Join(err, e.renew())
	}
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), e.packet[:n]...), nil
}

func (e *opusEncoder) reset() {
	if err := e.renew(); err != nil {
		e.faults = maxFaults
	}
}

func (e *opusEncoder) close() {
	_, _ = contain(func() (int, error) { return 0, e.enc.Close() })
}
