package rtsp

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
)

// quirk is one way in which cameras break the rules.
type quirk struct {
	name string
	// repair is what is switched off to see it fail, with what else would step in; empty:
	// nothing is needed, see why.
	repair string
	why    string
	cam    badcam.Options
	target Target
	talk   bool
	memory Memory
	// check looks at what was seen; nil: the film, whole and in order.
	check func(s *screen) error
	until func(s *screen) bool
	// slow rows watch a session run out.
	slow bool
}

const h264Lines = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:track0"

// describe makes a description; lines are parted by newlines.
func describe(lines string) string {
	return strings.ReplaceAll("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0\n"+lines+"\n", "\n", "\r\n")
}

func fmtp() string { return "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=" + badcam.Sprop() }

// session makes a description whose session part is given.
func sessionLines(lines string) string {
	return strings.ReplaceAll(lines+"\n"+h264Lines+"\n"+fmtp()+"\n", "\n", "\r\n")
}

func video(more string) string { return describe(h264Lines + "\n" + fmtp() + "\n" + more) }

// hears checks that a track of sound was described.
func hears(codec av.Codec, rate, channels int) func(*screen) error {
	return func(s *screen) error {
		for _, t := range s.tracks {
			if t.Codec == codec && t.SampleRate == rate && t.Channels == channels {
				return nil
			}
		}
		return fmt.Errorf("no %s of %d Hz and %d channels in %+v", codec, rate, channels, s.tracks)
	}
}

func answers(method string, f func(q *badcam.Request, a *badcam.Answer)) func(*badcam.Request, *badcam.Answer) {
	return func(q *badcam.Request, a *badcam.Answer) {
		if q.Method == method && a.Status == 200 {
			f(q, a)
		}
	}
}

func header(method, name, value string) func(*badcam.Request, *badcam.Answer) {
	return answers(method, func(_ *badcam.Request, a *badcam.Answer) { a.Set(name, value) })
}

// sdpQuirks are about the description.
func sdpQuirks() []quirk {
	sound := func(lines string) string { return video("m=audio 0 RTP/AVP " + lines + "\na=control:track1") }
	return []quirk{
		{name: "version line missing or odd", repair: "version", cam: badcam.Options{SDP: sessionLines("v=1\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0")}},
		{name: "origin of blanks", repair: "origin", cam: badcam.Options{SDP: sessionLines("v=0\no= 0 0   \ns=x\nt=0 0")}},
		{name: "origin with IP twice", repair: "origin", cam: badcam.Options{SDP: sessionLines("v=0\no=- 1 1 IP IP4 127.0.0.1\ns=x\nt=0 0")}},
		{name: "second s=, below a stream", repair: "strays", cam: badcam.Options{SDP: video("s=again")}},
		{name: "broken c=", repair: "strays", cam: badcam.Options{SDP: sessionLines("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nc=IP4\nt=0 0")}},
		{name: "broken t=", repair: "strays", cam: badcam.Options{SDP: sessionLines("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=now-later")}},
		{name: "kind that is none (m=vana)", repair: "kinds,one_by_one", cam: badcam.Options{SDP: video("m=vana 0 RTP/AVP 108\na=control:track5")}},
		{name: "data track without a clock rate", repair: "kinds,one_by_one", cam: badcam.Options{SDP: video("m=metadata 0 RTP/AVP 98\na=control:track2")}},
		{name: "fmtp on the other track", repair: "other_track", cam: badcam.Options{SDP: describe(h264Lines + "\nm=audio 0 RTP/AVP 8\na=control:track1\n" + fmtp())}},
		{name: "payload types missing", repair: "types", cam: badcam.Options{SDP: strings.Replace(video(""), "RTP/AVP 96", "RTP/AVP", 1)}},
		{name: "payload type described by another number", repair: "types", cam: badcam.Options{SDP: strings.Replace(video(""), "RTP/AVP 96", "RTP/AVP 97", 1)}},
		{name: "some streams with an id, some without", repair: "attributes,one_by_one", cam: badcam.Options{SDP: video("a=mid:v\nm=audio 0 RTP/AVP 0\na=control:track1")}},
		{name: "protocol that is none", repair: "proto", cam: badcam.Options{SDP: strings.Replace(video(""), "RTP/AVP", "RTSP/H264", 1)}},
		{name: "AAC by the number of PCMU", repair: "static_type", check: hears(av.AAC, 16000, 1),
			cam: badcam.Options{SDP: sound("0\na=rtpmap:0 MPEG4-GENERIC/16000/1\na=fmtp:0 config=1408;sizelength=13;indexlength=3;indexdeltalength=3")}},
		{name: "PCM of 48 kHz by the number of 44.1", repair: "static_type", check: hears(av.L16, 48000, 1), cam: badcam.Options{SDP: sound("11\na=rtpmap:11 PCM/48000")}},
		{name: "AAC without sizes", repair: "aac", check: hears(av.AAC, 16000, 1), cam: badcam.Options{SDP: sound("97\na=rtpmap:97 MPEG4-GENERIC/16000/1\na=fmtp:97 config=1408")}},
		{name: "AAC with a broken configuration", repair: "aac", check: hears(av.AAC, 44100, 2),
			cam: badcam.Options{SDP: sound("97\na=rtpmap:97 MPEG4-GENERIC/44100/2\na=fmtp:97 config=zzz1210;sizelength=13;indexlength=3;indexdeltalength=3")}},
		{name: "LATM that says its configuration twice", repair: "latm", check: hears(av.AAC, 16000, 1), cam: badcam.Options{SDP: sound("97\na=rtpmap:97 MP4A-LATM/16000/1\na=fmtp:97 config=" + muxConfig())}},
		{name: "Opus by its sound's own rate", repair: "opus", check: hears(av.Opus, 48000, 1), cam: badcam.Options{SDP: sound("97\na=rtpmap:97 opus/16000")}},
		{name: "video without a clock", repair: "clock", cam: badcam.Options{SDP: strings.Replace(video(""), "H264/90000", "H264", 1)}},
		{name: "video that says sendonly", repair: "sendonly", cam: badcam.Options{SDP: video("a=sendonly")}},
		{name: "parameter sets that are no base64", repair: "sprop", cam: badcam.Options{Play: inBand, SDP: describe(h264Lines + "\na=fmtp:96 sprop-parameter-sets=!!,??")}},
		{name: "H.265 with some of its sets, one broken", repair: "sprop", check: seesH265, cam: badcam.Options{Play: hevcFilm,
			SDP: describe("m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=control:track0\na=fmtp:96 sprop-sps=QgEBAWAAAA==")}},
		{name: "one stream that nobody can read", repair: "one_by_one", cam: badcam.Options{SDP: sound("99")}},
		{name: "base64 without its padding", repair: "sprop", cam: badcam.Options{SDP: strings.ReplaceAll(video(""), "=\r\n", "\r\n")}},
		{name: "Content-Length missing", why: "lines of a description belong to it wherever they stand",
			cam: badcam.Options{Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) { a.NoCount = true })}},
		{name: "Content-Length too small", why: "as above",
			cam: badcam.Options{Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) { a.NoCount = true; a.Set("Content-Length", "41") })}},
	}
}

// muxConfig is a StreamMuxConfig of AAC-LC at 16 kHz, mono.
func muxConfig() string { return "400028103fc0" }

// answerQuirks are about headers and what is refused.
func answerQuirks() []quirk {
	noRange := answers("PLAY", func(q *badcam.Request, a *badcam.Answer) {
		if q.Header["range"] != "" {
			a.Fail(503, "Service Unavailable")
		}
	})
	return []quirk{
		{name: "Content-Base with its scheme twice", repair: "content_base,control_query", cam: badcam.Options{Base: "rtsp://rtsp://127.0.0.1:554/live/"}},
		{name: "Content-Base without a scheme", repair: "content_base,control_query", cam: badcam.Options{Base: "127.0.0.1:554/live/"}},
		{name: "Content-Base of IPv6 without brackets", repair: "content_base,control_query", cam: badcam.Options{Base: "rtsp://::ffff:127.0.0.1/live/"}},
		{name: "track wanted before the query", repair: "control_query", cam: badcam.Options{Base: "rtsp://127.0.0.1/live?ch=1",
			Answer: answers("SETUP", func(q *badcam.Request, a *badcam.Answer) {
				if !strings.HasSuffix(q.URL, "/live/track0?ch=1") {
					a.Fail(404, "Not Found")
				}
			})}},
		{name: "Transport without /TCP", repair: "transport_profile", cam: badcam.Options{Answer: header("SETUP", "Transport", "RTP/AVP;unicast;interleaved=0-1")}},
		{name: "Transport with one channel", why: "the parser of gortsplib takes the next one for the second",
			cam: badcam.Options{Answer: header("SETUP", "Transport", "RTP/AVP/TCP;unicast;interleaved=0")}},
		{name: "Transport with channels that are none", repair: "transport_channels", cam: badcam.Options{Answer: header("SETUP", "Transport", "RTP/AVP/TCP;unicast;interleaved=x-y")}},
		{name: "Transport missing", repair: "transport_missing", cam: badcam.Options{Answer: answers("SETUP", func(_ *badcam.Request, a *badcam.Answer) { a.Unset("Transport") })}},
		{name: "other channels than asked", repair: "other_channels", cam: badcam.Options{
			Answer: header("SETUP", "Transport", "RTP/AVP/TCP;unicast;interleaved=4-5"),
			Play:   func(p *badcam.Player) { p.Shift = 4; p.Film(badcam.H264()) }}},
		{name: "blanks in Transport", repair: "transport_blanks", cam: badcam.Options{
			Answer: header("SETUP", "Transport", "RTP/AVP/TCP; unicast; interleaved = 4-5;ssrc= d6d6627"),
			Play:   func(p *badcam.Player) { p.Shift = 4; p.Film(badcam.H264()) }}},
		{name: "RTP-Info with a semicolon at its end and a time of -1", why: "nothing of RTP-Info is read: too many cameras guess it",
			cam: badcam.Options{Answer: header("PLAY", "RTP-Info", "url=track0;seq=1;rtptime=-1;,url=;")}},
		{name: "401 without a User-Agent", repair: "user_agent", cam: badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) {
			if q.Header["user-agent"] == "" {
				a.Fail(401, "Unauthorized")
			}
		}}},
		{name: "redirect", repair: "redirect", cam: badcam.Options{Answer: answers("DESCRIBE", func(q *badcam.Request, a *badcam.Answer) {
			if strings.HasSuffix(q.URL, "/live") {
				a.Fail(302, "Moved")
				a.Set("Location", strings.Replace(q.URL, "/live", "/moved", 1))
			}
		})}},
		{name: "PLAY refused with a Range", repair: "range", cam: badcam.Options{Answer: noRange}},
		{name: "back channel refused", repair: "back_channel", talk: true},
		{name: "the connection ends at the question for a back channel", repair: "back_channel", talk: true, cam: badcam.Options{
			Answer: answers("DESCRIBE", func(q *badcam.Request, a *badcam.Answer) { a.HangUp = q.Header["require"] != "" })}},
		{name: "a second talk session ends the first", repair: "talk_track", talk: true, cam: badcam.Options{
			SDP: video("m=audio 0 RTP/AVP 0\na=control:mic\nm=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2\na=control:talk\na=sendonly"),
			Answer: answers("SETUP", func(q *badcam.Request, a *badcam.Answer) {
				a.HangUp = strings.HasSuffix(q.URL, "talk")
			})}},
		{name: "SETUP of the sound refused", repair: "sound_refused", cam: badcam.Options{SDP: video("m=audio 0 RTP/AVP 0\na=control:mic"),
			Answer: answers("SETUP", func(q *badcam.Request, a *badcam.Answer) {
				if strings.HasSuffix(q.URL, "mic") {
					a.Fail(503, "Service Unavailable")
				}
			})}},
		{name: "OPTIONS ends the connection", repair: "options", cam: badcam.Options{Answer: answers("OPTIONS", func(_ *badcam.Request, a *badcam.Answer) { a.HangUp = true })}},
		{name: "UDP only", repair: "transport_udp", cam: badcam.Options{Answer: answers("SETUP", func(q *badcam.Request, a *badcam.Answer) {
			if strings.Contains(q.Header["transport"], "TCP") {
				a.Fail(461, "Unsupported Transport")
			}
		})}},
		{name: "PLAY without an answer", repair: "play_answer", slow: true, until: forAWhile, check: anything, cam: badcam.Options{Answer: answers("PLAY", func(_ *badcam.Request, a *badcam.Answer) { a.Silent = true })}},
		{name: "a nonce for each request", repair: "nonce", target: Target{Username: "u", Password: "p@:/#"},
			cam: badcam.Options{Auth: "md5", Username: "u", Password: "p@:/#", FreshNonce: true}},
		{name: "realm with quotes", why: "a quoted value ends at a quote that a comma follows", target: Target{Username: `do"m\ain`, Password: `"`},
			cam: badcam.Options{Auth: "md5", Username: `do"m\ain`, Password: `"`, Realm: `Login to "front, door"`}},
		{name: "life by GET_PARAMETER alone", repair: "keepalive", slow: true, until: forAWhile, check: anything, cam: badcam.Options{Timeout: time.Second, Keeps: []string{"GET_PARAMETER"}}},
		{name: "life by OPTIONS alone", why: "both are sent in turn", slow: true, until: forAWhile, check: anything, cam: badcam.Options{Timeout: time.Second, Keeps: []string{"OPTIONS"}}},
	}
}

// forAWhile is longer than a session lives without a sign of life.
func forAWhile(s *screen) bool {
	return s.units[len(s.units)-1].Wall.Sub(s.units[0].Wall) > 2500*time.Millisecond
}

func anything(*screen) error { return nil }

// packetQuirks are about RTP.
func packetQuirks() []quirk {
	film := badcam.H264()
	code := []byte{0, 0, 0, 1}
	join := func(parts ...[]byte) (out []byte) {
		for i, p := range parts {
			if i > 0 {
				out = append(out, code...)
			}
			out = append(out, p...)
		}
		return out
	}
	picture := func(i int) []byte { return film.Pictures[i%4][0] }
	return []quirk{
		{name: "marker on SEI", repair: "marker", check: withSEI, cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte { return [][]byte{sei(), picture(i)} }, func(i, j, n int) bool { return true })
		}}},
		{name: "marker on each slice", repair: "slices", check: twoSlices, cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte { return [][]byte{picture(i), second(i)} }, func(i, j, n int) bool { return true })
		}}, until: func(s *screen) bool { return len(s.units) >= 6 }},
		{name: "Annex B inside RTP", repair: "annex_b", cam: badcam.Options{SDP: describe(h264Lines), Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte {
				if i%4 == 0 {
					return [][]byte{join(film.SPS, film.PPS, picture(i))}
				}
				return [][]byte{picture(i)}
			}, nil)
		}}},
		{name: "a start code in place of the header of a fragment", repair: "annex_b", cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte { // 00 from the two headers, then 00 00 01
				b := append([]byte{0, 0, 1}, picture(i)...)
				return [][]byte{append([]byte{0x1c, 0x80}, b[:100]...), append([]byte{0x1c, 0x40}, b[100:]...)}
			}, nil)
		}}},
		{name: "fragments that change their type", repair: "fragment_type", cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte {
				b := picture(i)
				return [][]byte{
					append([]byte{b[0]&0xe0 | 28, 0x80 | b[0]&0x1f}, b[1:100]...),
					append([]byte{b[0]&0xe0 | 28, 0x40 | 7}, b[100:]...),
				}
			}, nil)
		}}},
		{name: "UDP packets of 10 kB", repair: "large_packets", target: Target{Transport: "udp"}, check: large, cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte { return [][]byte{badcam.Slice(0x65, i, 10_000)} }, nil)
		}}},
		{name: "RTP time that jumps hours back and forth", why: "it is handed on; the ring that has all tracks repairs it", check: anything, cam: badcam.Options{Play: jumping},
			until: func(s *screen) bool { return len(s.units) >= 40 }},
		{name: "packets of another payload type", why: "one stream is one channel, whatever number its packets bear",
			cam: badcam.Options{Play: func(p *badcam.Player) {
				for i := range 1 << 16 {
					if !p.Send(0, false, badcam.RTP(111, uint16(i), uint32(i*badcam.Ticks), true, picture(i))) || !p.Wait() {
						return
					}
				}
			}}},
		{name: "bytes between the frames that are nothing", why: "the reader looks for the next frame", cam: badcam.Options{Play: func(p *badcam.Player) {
			p.Packets(func(i int) [][]byte { p.Raw([]byte("\x00\x01\xffjunk\r\n")); return [][]byte{picture(i)} }, nil)
		}}},
	}
}

func sei() []byte { return []byte{6, 5, 1, 0x55, 0x80} }

func second(i int) []byte {
	b := badcam.Slice(badcam.H264().Pictures[i%4][0][0], 7, 90)
	b[1] = 0x40 // first_mb_in_slice is not 0
	return b
}

func withSEI(s *screen) error {
	var film [][][]byte
	for _, p := range badcam.H264().Pictures {
		film = append(film, [][]byte{sei(), p[0]})
	}
	return s.same(film)
}

func twoSlices(s *screen) error {
	var film [][][]byte
	for i, p := range badcam.H264().Pictures {
		film = append(film, [][]byte{p[0], second(i)})
	}
	for i, u := range s.units { // the first one was taken for whole before anybody could know
		if len(u.Data) == len(av.JoinNALs(film[0])) {
			s.units = s.units[i:]
			s.units[0].Discontinuity = false
			return s.same(film)
		}
	}
	return errors.New("no picture is whole")
}

func large(s *screen) error {
	for _, u := range s.units {
		if len(u.Data) != 10_004 {
			return fmt.Errorf("%d bytes", len(u.Data))
		}
	}
	return nil
}

func jumping(p *badcam.Player) {
	film := badcam.H264()
	for i := range 1 << 16 {
		at := uint32(i * badcam.Ticks)
		if i/10%2 == 1 {
			at += 3 * 3600 * 90000
		}
		if !p.Send(0, false, badcam.RTP(96, uint16(i), at, true, film.Pictures[i%4][0])) || !p.Wait() {
			return
		}
	}
}

// inBand plays the film with its parameter sets before each key frame.
func inBand(p *badcam.Player) {
	film := badcam.H264()
	p.Packets(func(i int) [][]byte {
		if i%4 == 0 {
			return [][]byte{film.SPS, film.PPS, film.Pictures[0][0]}
		}
		return film.Pictures[i%4]
	}, nil)
}

// hevcSets are parameter sets of H.265 as an encoder writes them (640x360).
func hevcSets() [][]byte {
	var out [][]byte
	for _, s := range []string{"QAEMAf//AWAAAAMAsAAAAwAAAwB4FwJA", "QgEBAWAAAAMAsAAAAwAAAwB4oAKggC8c1YgXuRZFL/y5/E/qbgQEBAE=", "RAHAcvBTJA=="} {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

func hevcFilm(p *badcam.Player) {
	p.Packets(func(i int) [][]byte {
		slice := badcam.Slice(0x26, i, 120) // IDR_W_RADL
		slice[1], slice[2] = 1, 0x80
		return append(hevcSets(), slice)
	}, nil)
}

func seesH265(s *screen) error {
	if len(s.units) == 0 || s.tracks[0].Codec != av.H265 || len(s.tracks[0].VPS) == 0 || !s.units[0].Key {
		return fmt.Errorf("%+v", s.tracks)
	}
	return nil
}

// TestQuirks: each quirk is survived, and is not with its repair switched off.
func TestQuirks(t *testing.T) {
	if _, err := hex.DecodeString(muxConfig()); err != nil {
		t.Fatal(err)
	}
	for _, group := range [][]quirk{sdpQuirks(), answerQuirks(), packetQuirks()} {
		for _, q := range group {
			t.Run(q.name, func(t *testing.T) {
				if q.slow && testing.Short() {
					t.Skip("a session has to run out")
				}
				t.Parallel()
				if err := q.see(t, ""); err != nil {
					t.Errorf("is not survived: %v", err)
				}
				if q.repair == "" {
					if q.why == "" {
						t.Error("neither a repair nor a reason")
					}
					return
				}
				if err := q.see(t, q.repair); err == nil {
					t.Errorf("is survived without %q too", q.repair)
				} else {
					t.Logf("without %s: %v", q.repair, err)
				}
			})
		}
	}
}

func (q quirk) see(t *testing.T, without string) error {
	t.Helper()
	cam := start(t, q.cam)
	target := q.target
	target.URL = cam.URL()
	s := &screen{want: 5, until: q.until}
	o := Options{ReadTimeout: 2 * time.Second, Talk: q.talk, Memory: q.memory}
	limit := 30 * time.Second
	if without != "" {
		o.without = map[string]bool{}
		for r := range strings.SplitSeq(without, ",") {
			o.without[r] = true
		}
		o.ReadTimeout, limit = 500*time.Millisecond, 4*time.Second
	}
	if err := s.watch(within(t, limit), target, o); err != nil {
		return err
	}
	if q.check != nil {
		return q.check(s)
	}
	return s.same(badcam.H264().Pictures)
}
