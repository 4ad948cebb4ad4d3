package message

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// Session names one stream of one controller.
type Session [16]byte

// Crypto is what one direction of one medium is kept secret with: AES_CM_128_HMAC_SHA1_80.
type Crypto struct {
	Key  [16]byte
	Salt [14]byte
}

// Endpoints is what a controller prepares a stream with (118, written).
type Endpoints struct {
	Session              Session
	Addr                 netip.Addr
	VideoPort, AudioPort uint16
	Video, Audio         Crypto
}

// ParseEndpoints reads the written value of 118. Where only the session is known of a
// message that is otherwise not to be used, known is true.
func ParseEndpoints(text string) (e Endpoints, known bool, err error) {
	m, err := decodeText(text)
	if err != nil {
		return e, false, err
	}
	if e.Session, err = m.session(1); err != nil {
		return e, false, err
	}
	addr, err := m.need(3, "an address")
	if err != nil {
		return e, true, err
	}
	if err := e.address(addr); err != nil {
		return e, true, err
	}
	for tag, to := range map[byte]*Crypto{4: &e.Video, 5: &e.Audio} {
		c, err := m.need(tag, "keys")
		if err == nil {
			*to, err = c.crypto()
		}
		if err != nil {
			return e, true, err
		}
	}
	return e, true, nil
}

func (m items) session(tag byte) (s Session, err error) {
	b, _ := m.Bytes(tag)
	if len(b) != len(s) {
		return s, malformed("a session's name of %d bytes, want %d", len(b), len(s))
	}
	copy(s[:], b)
	return s, nil
}

func (e *Endpoints) address(m items) error {
	const longest = 64 // an IPv6 address with a zone
	host, _ := m.Bytes(2)
	if len(host) > longest {
		return malformed("an address of %d characters", len(host))
	}
	addr, err := netip.ParseAddr(string(host))
	if err != nil {
		return malformed("the address is none")
	}
	addr = addr.Unmap()
	version, err := m.within(1, "IP version", 0, 1)
	if err != nil {
		return err
	}
	switch {
	case addr.Is4() != (version == 0):
		return malformed("the address is not of the IP version that was said")
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return malformed("the address is not that of one host")
	}
	video, err := m.within(3, "video port", 1, math.MaxUint16)
	if err != nil {
		return err
	}
	audio, err := m.within(4, "audio port", 1, math.MaxUint16)
	if err != nil {
		return err
	}
	e.Addr, e.VideoPort, e.AudioPort = addr, uint16(video), uint16(audio)
	return nil
}

func (m items) crypto() (c Crypto, err error) {
	if _, err := m.within(1, "crypto suite", 0, 0); err != nil {
		return c, err
	}
	key, _ := m.Bytes(2)
	salt, _ := m.Bytes(3)
	if len(key) != len(c.Key) || len(salt) != len(c.Salt) {
		return c, malformed("a key of %d and a salt of %d bytes, want %d and %d", len(key), len(salt), len(c.Key), len(c.Salt))
	}
	copy(c.Key[:], key)
	copy(c.Salt[:], salt)
	return c, nil
}

// Command of a selection.
type Command byte

// Commands.
const (
	End         Command = 0
	Start       Command = 1
	Suspend     Command = 2
	Resume      Command = 3
	Reconfigure Command = 4
)

func (c Command) String() string {
	if all := []string{"end", "start", "suspend", "resume", "reconfigure"}; int(c) < len(all) {
		return all[c]
	}
	return "unknown"
}

// Selected is what a controller selects of what is offered (117, written).
type Selected struct {
	Session Session
	Command Command
	Video   *Video // with Start and Reconfigure
	Audio   *Audio // with Start, where sound is wanted
}

// Video selected. In a Reconfigure what was not named is zero.
type Video struct {
	Profile            string // baseline, main, high
	Level              int    // in tenths
	Width, Height, FPS int
	PT                 uint8
	SSRC               uint32
	Kbps               int
	RTCP               time.Duration // the least between two reports
	MTU                int           // 0: the usual
}

// Audio selected: Opus.
type Audio struct {
	PT        uint8
	SSRC      uint32
	Kbps      int
	Rate      int // Hz
	Packet    time.Duration
	RTCP      time.Duration
	ComfortPT uint8 // 0: none
}

// ParseSelected reads the written value of 117.
func ParseSelected(text string) (s Selected, err error) {
	m, err := decodeText(text)
	if err != nil {
		return s, err
	}
	control, err := m.need(1, "a command")
	if err != nil {
		return s, err
	}
	if s.Session, err = control.session(1); err != nil {
		return s, err
	}
	command, err := control.within(2, "command", uint64(End), uint64(Reconfigure))
	if err != nil {
		return s, err
	}
	s.Command = Command(command)
	if s.Command != Start && s.Command != Reconfigure {
		return s, nil
	}
	video, err := m.need(2, "a picture")
	if err != nil {
		return s, err
	}
	if s.Video, err = video.video(s.Command == Start); err != nil || s.Command != Start {
		return s, err
	}
	audio, ok, err := m.inner(3)
	if err != nil || !ok {
		return s, err
	}
	s.Audio, err = audio.audio()
	return s, err
}

// maxSide bounds a picture's width and height: 8K.
const maxSide = 8192

// video reads a selected picture, of which a reconfiguration names size and rates only.
func (m items) video(whole bool) (*Video, error) {
	v := &Video{}
	if codec, err := m.number(1, 0); err != nil || codec != 0 {
		return nil, malformed("a picture of codec %d", codec)
	}
	if err := v.form(m, whole); err != nil {
		return nil, err
	}
	size, err := m.need(3, "a size")
	if err != nil {
		return nil, err
	}
	if v.Width, err = size.within(1, "width", 16, maxSide); err != nil {
		return nil, err
	}
	if v.Height, err = size.within(2, "height", 16, maxSide); err != nil {
		return nil, err
	}
	if v.FPS, err = size.within(3, "frame rate", 1, 240); err != nil {
		return nil, err
	}
	rtp, err := m.need(4, "RTP parameters")
	if err != nil {
		return nil, err
	}
	if v.Kbps, v.RTCP, err = rtp.rates(); err != nil || !whole {
		return v, err
	}
	if v.PT, v.SSRC, err = rtp.names(); err != nil {
		return nil, err
	}
	if _, ok := rtp.Bytes(5); !ok {
		return v, nil
	}
	v.MTU, err = rtp.within(5, "MTU", 256, math.MaxUint16)
	return v, err
}

// form reads profile and level.
func (v *Video) form(m items, whole bool) error {
	p, ok, err := m.inner(2)
	switch {
	case err != nil:
		return err
	case !ok && whole:
		return malformed("without a profile")
	case !ok:
		return nil
	}
	profile, err := p.within(1, "profile", 0, 2)
	if err != nil {
		return err
	}
	level, err := p.within(2, "level", 0, 2)
	if err != nil {
		return err
	}
	if mode, err := p.number(3, 0); err != nil || mode != 0 {
		return malformed("packetization mode %d", mode)
	}
	v.Profile, v.Level = profiles()[profile], levels()[level]
	return nil
}

// profiles and levels by their numbers in TLVs.
func profiles() []string { return []string{"baseline", "main", "high"} }
func levels() []int      { return []int{31, 32, 40} }

// names are the payload type and the synchronization source.
func (m items) names() (pt uint8, ssrc uint32, err error) {
	n, err := m.within(1, "payload type", 0, 127)
	if err != nil {
		return 0, 0, err
	}
	s, err := m.within(2, "SSRC", 0, math.MaxUint32)
	return uint8(n), uint32(s), err
}

// Bounds of the time between two reports. Homes ask 0.5 s for video and 5 s for sound.
const (
	usualRTCP    = 500 * time.Millisecond
	shortestRTCP = 100 * time.Millisecond
	longestRTCP  = 30 * time.Second
)

// rates are kbit/s and the least time between two reports. A zero time is what homes write
// in a reconfiguration, and means the usual.
func (m items) rates() (kbps int, rtcp time.Duration, err error) {
	if kbps, err = m.within(3, "bit rate", 1, math.MaxUint16); err != nil {
		return 0, 0, err
	}
	b, ok := m.Bytes(4)
	if !ok {
		return kbps, usualRTCP, nil
	}
	if len(b) != 4 {
		return 0, 0, malformed("an RTCP interval of %d bytes", len(b))
	}
	s := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	switch {
	case math.IsNaN(s), math.IsInf(s, 0), s < 0:
		return 0, 0, malformed("an RTCP interval that is no time")
	case s == 0:
		return kbps, usualRTCP, nil
	}
	s = min(max(s, shortestRTCP.Seconds()), longestRTCP.Seconds())
	return kbps, time.Duration(s * float64(time.Second)), nil
}

// opus is the codec's number in TLVs.
const opus = 3

func (m items) audio() (*Audio, error) {
	a := &Audio{}
	if codec, err := m.number(1, 0); err != nil || codec != opus {
		return nil, malformed("sound of codec %d, only Opus was offered", codec)
	}
	form, err := m.need(2, "the form of the sound")
	if err != nil {
		return nil, err
	}
	if _, err := form.within(1, "channels", 1, 1); err != nil {
		return nil, err
	}
	rate, err := form.within(3, "sample rate", 1, 2)
	if err != nil {
		return nil, err
	}
	a.Rate = []int{0, 16000, 24000}[rate]
	ms, err := form.number(4, 20)
	if err != nil {
		return nil, err
	}
	switch ms {
	case 20, 30, 40, 60:
		a.Packet = time.Duration(ms) * time.Millisecond
	default:
		return nil, malformed("packets of %d ms, want 20, 30, 40 or 60", ms)
	}
	rtp, err := m.need(3, "RTP parameters of the sound")
	if err != nil {
		return nil, err
	}
	if a.PT, a.SSRC, err = rtp.names(); err != nil {
		return nil, err
	}
	if a.Kbps, a.RTCP, err = rtp.rates(); err != nil {
		return nil, err
	}
	if _, ok := rtp.Bytes(6); !ok {
		return a, nil
	}
	comfort, err := rtp.within(6, "payload type of comfort noise", 0, 127)
	a.ComfortPT = uint8(comfort)
	return a, err
}
