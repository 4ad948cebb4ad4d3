package message

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

func w() *tlv.Writer { return new(tlv.Writer) }

func keys() []byte {
	return w().Byte(1, 0).Bytes(2, bytes.Repeat([]byte{7}, 16)).Bytes(3, bytes.Repeat([]byte{8}, 14)).Out()
}

func endpoints(version byte, addr string, video, audio uint64, video4, audio5 []byte) string {
	a := w().Byte(1, version).String(2, addr).Uint(3, video, 2).Uint(4, audio, 2)
	return text(w().Bytes(1, []byte("0123456789abcdef")).Bytes(3, a.Out()).Bytes(4, video4).Bytes(5, audio5))
}

func TestParseEndpoints(t *testing.T) {
	e, known, err := ParseEndpoints(endpoints(0, "192.168.0.13", 58616, 53713, keys(), keys()))
	if err != nil || !known || e.Addr != netip.MustParseAddr("192.168.0.13") || e.VideoPort != 58616 || e.AudioPort != 53713 ||
		string(e.Session[:]) != "0123456789abcdef" || e.Video.Key[15] != 7 || e.Audio.Salt[13] != 8 {
		t.Errorf("%+v %v", e, err)
	}
	if e, _, err := ParseEndpoints(endpoints(1, "fe80::1%en0", 1, 2, keys(), keys())); err != nil || e.Addr.Zone() != "en0" {
		t.Errorf("%+v %v", e, err)
	}
	short := w().Byte(1, 0).Bytes(2, []byte("short")).Bytes(3, []byte("short")).Out()
	aes256 := w().Byte(1, 1).Bytes(2, make([]byte, 32)).Bytes(3, make([]byte, 14)).Out()
	for what, bad := range map[string]string{
		"of no host":          endpoints(0, "0.0.0.0", 1, 2, keys(), keys()),
		"of many hosts":       endpoints(0, "224.0.0.251", 1, 2, keys(), keys()),
		"of all hosts":        endpoints(0, "255.255.255.255", 1, 2, keys(), keys()),
		"many hosts of IPv6":  endpoints(1, "ff02::fb", 1, 2, keys(), keys()),
		"a name":              endpoints(0, "phone.local", 1, 2, keys(), keys()),
		"a long one":          endpoints(1, "fe80::1%"+strings.Repeat("e", 200), 1, 2, keys(), keys()),
		"of the other kind":   endpoints(1, "192.168.0.13", 1, 2, keys(), keys()),
		"of the other kind 6": endpoints(0, "fe80::1", 1, 2, keys(), keys()),
		"IP version 7":        endpoints(7, "192.168.0.13", 1, 2, keys(), keys()),
		"no video port":       endpoints(0, "192.168.0.13", 0, 2, keys(), keys()),
		"no audio port":       endpoints(0, "192.168.0.13", 1, 0, keys(), keys()),
		"short keys":          endpoints(0, "192.168.0.13", 1, 2, short, keys()),
		"keys of 256 bits":    endpoints(0, "192.168.0.13", 1, 2, keys(), aes256),
		"no keys":             endpoints(0, "192.168.0.13", 1, 2, keys(), nil),
	} {
		if _, known, err := ParseEndpoints(bad); !errors.Is(err, ErrMalformed) || !known {
			t.Errorf("an address %s: known %v, %v", what, known, err)
		}
	}
	if _, known, err := ParseEndpoints(text(w().Bytes(1, []byte("short")))); !errors.Is(err, ErrMalformed) || known {
		t.Errorf("a short session: known %v, %v", known, err)
	}
}

// recorded is what a home wrote into 118 and into 117 (an end), as the tests of the library
// hap have it.
const (
	recordedEndpoints = "ARBz21VuCupGZre3A62biD8XAxkBAQACDDE5Mi4xNjguMC4xMwMC+OUEAurRBCUCEPpLBUWQEzkfFiGd1qkieqoDDi8cIMO0Vl1+kegzGgnpAQEABSUCEJQ27Ze9EEmuxcIVPhDEs68DDlaHwww6f6d5+NSClT7TAQEA"
	recordedEnd       = "ARUCAQABEHW8tiJ9E0F4tLlvOURdFCc="
)

func TestRecorded(t *testing.T) {
	e, _, err := ParseEndpoints(recordedEndpoints)
	if err != nil || e.Addr.String() != "192.168.0.13" || e.VideoPort != 0xe5f8 || hex.EncodeToString(e.Audio.Key[:2]) != "9436" {
		t.Errorf("%+v %v", e, err)
	}
	s, err := ParseSelected(recordedEnd)
	if err != nil || s.Command != End || hex.EncodeToString(s.Session[:2]) != "75bc" {
		t.Errorf("%+v %v", s, err)
	}
}

// selection is a start, of which parts can be changed.
type selection struct {
	command                       byte
	codec, profile, level, mode   byte
	width, height                 uint64
	fps                           byte
	pt                            byte
	kbps                          uint64
	rtcp                          float32
	mtu                           uint64
	sound                         bool
	acodec, channels, rate, ptime byte
	without                       string
}

func start() selection {
	return selection{command: 1, profile: 2, level: 2, width: 1280, height: 720, fps: 30, pt: 99, kbps: 299, rtcp: 0.5, mtu: 1378,
		sound: true, acodec: 3, channels: 1, rate: 2, ptime: 20}
}

func (s selection) text() string {
	out := w().Bytes(1, w().Bytes(1, []byte("0123456789abcdef")).Byte(2, s.command).Out())
	rtcp := func(to *tlv.Writer) { to.Uint(4, uint64(math.Float32bits(s.rtcp)), 4) }
	video := w().Byte(1, s.codec)
	if s.without != "form" {
		video.Bytes(2, w().Byte(1, s.profile).Byte(2, s.level).Byte(3, s.mode).Out())
	}
	if s.without != "size" {
		video.Bytes(3, w().Uint(1, s.width, 2).Uint(2, s.height, 2).Byte(3, s.fps).Out())
	}
	rtp := w().Byte(1, s.pt).Uint(2, 4711, 4).Uint(3, s.kbps, 2)
	rtcp(rtp)
	if s.mtu != 0 {
		rtp.Uint(5, s.mtu, 2)
	}
	if s.without != "rtp" {
		video.Bytes(4, rtp.Out())
	}
	if s.without != "video" {
		out.Bytes(2, video.Out())
	}
	if s.sound {
		rtp := w().Byte(1, 110).Uint(2, 4712, 4).Uint(3, 24, 2)
		rtcp(rtp)
		out.Bytes(3, w().Byte(1, s.acodec).Bytes(2, w().Byte(1, s.channels).Byte(2, 0).Byte(3, s.rate).Byte(4, s.ptime).Out()).
			Bytes(3, rtp.Byte(6, 13).Out()).Byte(4, 0).Out())
	}
	return text(out)
}

func TestParseSelected(t *testing.T) {
	s, err := ParseSelected(start().text())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Video{"high", 40, 1280, 720, 30, 99, 4711, 299, 500 * time.Millisecond, 1378}); *s.Video != want {
		t.Errorf("video %+v", *s.Video)
	}
	if want := (Audio{110, 4712, 24, 24000, 20 * time.Millisecond, 500 * time.Millisecond, 13}); *s.Audio != want {
		t.Errorf("audio %+v", *s.Audio)
	}
	for what, change := range map[string]func(*selection){
		"a command":         func(s *selection) { s.command = 5 },
		"H.265":             func(s *selection) { s.codec = 1 },
		"a profile":         func(s *selection) { s.profile = 3 },
		"a level":           func(s *selection) { s.level = 3 },
		"interleaved":       func(s *selection) { s.mode = 1 },
		"no form":           func(s *selection) { s.without = "form" },
		"no size":           func(s *selection) { s.without = "size" },
		"no RTP":            func(s *selection) { s.without = "rtp" },
		"no video":          func(s *selection) { s.without = "video" },
		"no width":          func(s *selection) { s.width = 0 },
		"a huge picture":    func(s *selection) { s.width, s.height = 65535, 65535 },
		"no frames":         func(s *selection) { s.fps = 0 },
		"payload type 200":  func(s *selection) { s.pt = 200 },
		"no bits":           func(s *selection) { s.kbps = 0 },
		"a time that is no": func(s *selection) { s.rtcp = float32(math.NaN()) },
		"an endless time":   func(s *selection) { s.rtcp = float32(math.Inf(1)) },
		"a time before":     func(s *selection) { s.rtcp = -1 },
		"tiny datagrams":    func(s *selection) { s.mtu = 40 },
		"AAC-ELD":           func(s *selection) { s.acodec = 2 },
		"stereo":            func(s *selection) { s.channels = 2 },
		"8 kHz":             func(s *selection) { s.rate = 0 },
		"packets of 255 ms": func(s *selection) { s.ptime = 255 },
	} {
		bad := start()
		change(&bad)
		if s, err := ParseSelected(bad.text()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v %v", what, s, err)
		}
	}
}

func TestOddButAllowed(t *testing.T) {
	re := start()
	re.command, re.without, re.sound, re.rtcp = 4, "form", false, 0
	s, err := ParseSelected(re.text())
	if err != nil || s.Video.Profile != "" || s.Video.RTCP != usualRTCP || s.Video.Kbps != 299 || s.Audio != nil {
		t.Errorf("a reconfiguration: %+v %v", s.Video, err)
	}
	for seconds, want := range map[float32]time.Duration{1e-9: shortestRTCP, 1e30: longestRTCP, 5: 5 * time.Second} {
		odd := start()
		odd.rtcp, odd.mtu = seconds, 0
		if s, err := ParseSelected(odd.text()); err != nil || s.Video.RTCP != want || s.Video.MTU != 0 {
			t.Errorf("reports each %v s: %+v %v", seconds, s.Video, err)
		}
	}
	for _, c := range []Command{End, Suspend, Resume} {
		only := text(w().Bytes(1, w().Byte(2, byte(c)).Bytes(1, make([]byte, 16)).Out()))
		if s, err := ParseSelected(only); err != nil || s.Command != c {
			t.Errorf("%s alone: %v", c, err)
		}
	}
}

// TestOffers are compared with what the controllers' own documents and other accessories show,
// byte for byte: items of a list are parted by 00 00.
func TestOffers(t *testing.T) {
	for what, c := range map[string]struct{ got, want string }{
		"video": {VideoOffer([]Size{{1920, 1080, 30}, {320, 240, 15}}), "0134" + "010100" + "021d" + "010100" + "0000" + "010101" + "0000" + "010102" +
			"020100" + "0000" + "020101" + "0000" + "020102" + "030100" +
			"030b" + "01028007" + "02023804" + "03011e" + "0000" + "030b" + "01024001" + "0202f000" + "03010f"},
		"sound":  {AudioOffer(), "0113" + "010103" + "020e" + "010101" + "020100" + "030101" + "0000" + "030102" + "020100"},
		"crypto": {CryptoOffer(), "020100"},
		"busy":   {InUse.Text(), "010101"},
		"idle":   {Idle(), "0103020102"},
		"none":   {Nothing(), "020102"},
	} {
		b, err := base64.StdEncoding.DecodeString(c.got)
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		if what == "video" || what == "sound" { // the outer lengths follow from what is in them
			n := len(want)/2 - 2
			if what == "sound" {
				n -= 3
			}
			want = "01" + hex.EncodeToString([]byte{byte(n)}) + want[4:]
		}
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
}

func TestAnswerIsWhatWasPrepared(t *testing.T) {
	a := Answer{Session: Session{1, 2}, Addr: netip.MustParseAddr("fe80::2%eth0"), VideoPort: 5000, AudioPort: 5002, VideoSSRC: 1 << 31, AudioSSRC: 7}
	b, _ := base64.StdEncoding.DecodeString(a.Text())
	m, err := tlv.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	in, _ := m.Bytes(3)
	addr, _ := tlv.Parse(in)
	if host, _ := addr.Bytes(2); string(host) != "fe80::2" {
		t.Errorf("address %q: a zone means nothing to another", host)
	}
	if v, _ := addr.Byte(1); v != 1 {
		t.Errorf("IP version %d", v)
	}
	if s, _ := m.Bytes(6); !bytes.Equal(s, []byte{0, 0, 0, 0x80}) {
		t.Errorf("SSRC %x", s)
	}
	// Read back, it is what another would take for endpoints.
	if e, _, err := ParseEndpoints(a.Text()); err != nil || e.VideoPort != 5000 || e.Session != a.Session {
		t.Errorf("%+v %v", e, err)
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		own  []Size
		want []Size
	}{
		{nil, []Size{{1920, 1080, 30}, {1280, 720, 30}, {640, 360, 30}, {480, 270, 30}, {320, 240, 15}}},
		{[]Size{{640, 360, 15}, {2560, 1440, 20}}, []Size{{2560, 1440, 20}, {640, 360, 15}, {1920, 1080, 30}, {1280, 720, 30}, {480, 270, 30}, {320, 240, 15}}},
		{[]Size{{1280, 960, 0}}, []Size{{1280, 960, 30}, {1280, 720, 30}, {640, 360, 30}, {480, 270, 30}, {320, 240, 15}}},
		{[]Size{{1, 1, 1}, {1 << 30, 1 << 30, 1}}, Sizes()},
	} {
		got := Sizes(c.own...)
		if len(got) != len(c.want) {
			t.Errorf("of %v: %v", c.own, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("of %v: %v", c.own, got)
				break
			}
		}
	}
}

func FuzzEndpoints(f *testing.F) {
	f.Add(recordedEndpoints)
	f.Add(endpoints(1, "fe80::1", 1, 2, keys(), keys()))
	f.Fuzz(func(t *testing.T, text string) {
		e, known, err := ParseEndpoints(text)
		switch {
		case err != nil && !errors.Is(err, ErrMalformed):
			t.Error(err)
		case err == nil && (!known || !e.Addr.IsValid() || e.Addr.IsMulticast() || e.VideoPort == 0):
			t.Errorf("%+v", e)
		}
	})
}

func FuzzSelected(f *testing.F) {
	f.Add(recordedEnd)
	f.Add(start().text())
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelected(text)
		switch {
		case err != nil && !errors.Is(err, ErrMalformed):
			t.Error(err)
		case err == nil && s.Command == Start && (s.Video == nil || s.Video.Width < 16 || s.Video.RTCP < shortestRTCP || s.Video.Profile == ""):
			t.Errorf("%+v", s.Video)
		case err == nil && s.Audio != nil && s.Audio.Rate == 0:
			t.Errorf("%+v", s.Audio)
		}
	})
}
