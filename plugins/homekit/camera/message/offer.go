package message

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// Size of a picture, with its frames a second.
type Size struct{ Width, Height, FPS int }

// Sizes to offer for a camera whose own are given, biggest first: those, then what screens
// ask for that is no bigger than the biggest, so that nothing is ever blown up. The last is a
// watch's.
func Sizes(own ...Size) []Size {
	own = slices.DeleteFunc(slices.Clone(own), func(s Size) bool {
		return s.Width < 16 || s.Height < 16 || s.Width > maxSide || s.Height > maxSide
	})
	for i, s := range own {
		if s.FPS < 1 || s.FPS > 60 {
			own[i].FPS = 30
		}
	}
	slices.SortStableFunc(own, func(a, b Size) int { return cmp.Compare(b.Width*b.Height, a.Width*a.Height) })
	out := own
	for _, s := range []Size{{1920, 1080, 30}, {1280, 720, 30}, {640, 360, 30}, {480, 270, 30}, {320, 240, 15}} {
		small := len(own) == 0 || s.Width*s.Height <= own[0].Width*own[0].Height || s.Width == 320
		if small && !slices.ContainsFunc(out, func(o Size) bool { return o.Width == s.Width && o.Height == s.Height }) {
			out = append(out, s)
		}
	}
	return out
}

// VideoOffer is the value of 114: H.264 in all profiles and levels that there are words for,
// in these sizes.
func VideoOffer(sizes []Size) string {
	var params, codec tlv.Writer
	for i := range profiles() {
		part(&params, i).Byte(1, byte(i))
	}
	for i := range levels() {
		part(&params, i).Byte(2, byte(i))
	}
	codec.Byte(1, 0).Bytes(2, params.Byte(3, 0 /* non-interleaved */).Out())
	for i, s := range sizes {
		var size tlv.Writer
		size.Uint(1, uint64(s.Width), 2).Uint(2, uint64(s.Height), 2).Byte(3, byte(s.FPS))
		part(&codec, i).Bytes(3, size.Out())
	}
	return text(new(tlv.Writer).Bytes(1, codec.Out()))
}

// part parts the items of a list: there is a separator before all but the first.
func part(w *tlv.Writer, i int) *tlv.Writer {
	if i > 0 {
		w.Separate()
	}
	return w
}

// AudioOffer is the value of 115: Opus of one channel, variable rate, 16 and 24 kHz; no comfort noise.
func AudioOffer() string {
	params := new(tlv.Writer).Byte(1, 1).Byte(2, 0).Byte(3, 1).Separate().Byte(3, 2)
	codec := new(tlv.Writer).Byte(1, opus).Bytes(2, params.Out())
	return text(new(tlv.Writer).Bytes(1, codec.Out()).Byte(2, 0))
}

// CryptoOffer is the value of 116: AES_CM_128_HMAC_SHA1_80.
func CryptoOffer() string { return text(new(tlv.Writer).Byte(2, 0)) }

// Status of a stream service (120).
type Status byte

// Statuses.
const (
	Available   Status = 0
	InUse       Status = 1
	Unavailable Status = 2
)

// Text is the value of 120.
func (s Status) Text() string { return text(new(tlv.Writer).Byte(1, byte(s))) }

// Outcome of preparing a stream.
type Outcome byte

// Outcomes.
const (
	Prepared Outcome = 0
	Busy     Outcome = 1
	Failed   Outcome = 2
)

// Answer is what a controller reads of 118 after it prepared a stream.
type Answer struct {
	Session              Session
	Addr                 netip.Addr
	VideoPort, AudioPort uint16
	Video, Audio         Crypto
	VideoSSRC, AudioSSRC uint32
}

// Text is the value of 118 for a stream that is prepared.
func (a Answer) Text() string {
	version := byte(0)
	if a.Addr.Is6() {
		version = 1
	}
	addr := new(tlv.Writer).Byte(1, version).String(2, a.Addr.WithZone("").String()).
		Uint(3, uint64(a.VideoPort), 2).Uint(4, uint64(a.AudioPort), 2)
	keys := func(c Crypto) []byte { return new(tlv.Writer).Byte(1, 0).Bytes(2, c.Key[:]).Bytes(3, c.Salt[:]).Out() }
	return text(new(tlv.Writer).Bytes(1, a.Session[:]).Byte(2, byte(Prepared)).Bytes(3, addr.Out()).
		Bytes(4, keys(a.Video)).Bytes(5, keys(a.Audio)).Uint(6, uint64(a.VideoSSRC), 4).Uint(7, uint64(a.AudioSSRC), 4))
}

// Refusal is the value of 118 for a stream that is not prepared.
func Refusal(s Session, o Outcome) string {
	return text(new(tlv.Writer).Bytes(1, s[:]).Byte(2, byte(o)))
}

// Nothing is the value of 118 for whoever has prepared nothing.
func Nothing() string { return text(new(tlv.Writer).Byte(2, byte(Failed))) }

// Idle is the value of 117 where nothing is selected: a session of no name that sends nothing.
func Idle() string {
	return text(new(tlv.Writer).Bytes(1, new(tlv.Writer).Byte(2, byte(Suspend)).Out()))
}
