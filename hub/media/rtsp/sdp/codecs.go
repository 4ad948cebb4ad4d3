package sdp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// mendParameterSets keeps the parameter sets that can be read and leaves out the others:
// they come in the stream too.
func mendParameterSets(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for _, typ := range s.types {
			p := s.fmtp(typ)
			if len(p) == 0 {
				continue
			}
			was := p.String()
			switch name, _, _ := s.codec(typ); name {
			case "h264":
				p = mendH264(p)
			case "h265":
				p = mendH265(p)
			default:
				continue
			}
			if now := p.String(); now != was {
				s.set("fmtp", typ, now)
				odd = true
			}
		}
	}
	return odd
}

func mendH264(p parameters) parameters {
	if v, ok := p.get("packetization-mode"); ok {
		if n, err := strconv.Atoi(v); err != nil || n < 0 {
			p = p.set("packetization-mode", "1")
		}
	}
	v, ok := p.get("sprop-parameter-sets")
	if !ok {
		return p
	}
	var sps, pps string
	for enc := range strings.SplitSeq(v, ",") {
		for _, nal := range decodeSets(enc) {
			switch nal[0] & 0x1f {
			case 7:
				var parsed h264.SPS
				if sps == "" && parsed.Unmarshal(nal) == nil {
					sps = base64.StdEncoding.EncodeToString(nal)
				}
			case 8:
				if pps == "" {
					pps = base64.StdEncoding.EncodeToString(nal)
				}
			}
		}
	}
	if sps == "" || pps == "" {
		return p.without("sprop-parameter-sets")
	}
	if two := sps + "," + pps; two != v {
		return p.set("sprop-parameter-sets", two)
	}
	return p
}

func mendH265(p parameters) parameters {
	for _, key := range []string{"sprop-vps", "sprop-sps", "sprop-pps"} {
		v, ok := p.get(key)
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(v, ",")
		good := ""
		for _, nal := range decodeSets(first) {
			var err error
			switch key {
			case "sprop-sps":
				err = new(h265.SPS).Unmarshal(nal)
			case "sprop-pps":
				err = new(h265.PPS).Unmarshal(nal)
			}
			if err == nil && len(nal) > 2 {
				good = base64.StdEncoding.EncodeToString(nal)
				break
			}
		}
		switch {
		case good == "":
			p = p.without(key)
		case good != v:
			p = p.set(key, good)
		}
	}
	if v, ok := p.get("sprop-max-don-diff"); ok {
		if _, err := strconv.ParseUint(v, 10, 31); err != nil {
			p = p.without("sprop-max-don-diff")
		}
	}
	return p
}

// decodeSets decodes one parameter set, or several with start codes between them; padding
// may be missing.
func decodeSets(enc string) [][]byte {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(enc), "="))
	if err != nil {
		return nil
	}
	var out [][]byte
	for piece := range bytes.SplitSeq(b, []byte{0, 0, 1}) {
		if piece = bytes.TrimRight(piece, "\x00"); len(piece) > 0 {
			out = append(out, piece)
		}
	}
	return out
}

// mendAAC fills in what mpeg4-generic (RFC 3640 4.1) must say and cameras forget. Without a
// configuration that can be read AAC-LC of the rate in rtpmap is taken.
func mendAAC(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for _, typ := range s.types {
			name, clock, rest := s.codec(typ)
			if name != "mpeg4-generic" {
				continue
			}
			p := s.fmtp(typ)
			was := p.String()
			channels, err := strconv.Atoi(rest)
			if err != nil || channels < 1 || channels > 8 {
				channels = 1
			}
			if p = mendAACParameters(p, clock, channels); p.String() != was {
				s.set("fmtp", typ, p.String())
				odd = true
			}
		}
	}
	return odd
}

func mendAACParameters(p parameters, clock, channels int) parameters {
	if v, ok := p.get("streamtype"); ok && v != "5" {
		p = p.set("streamtype", "5")
	}
	if v, ok := p.get("profile-level-id"); ok {
		if _, err := strconv.ParseUint(v, 10, 31); err != nil {
			p = p.set("profile-level-id", "1")
		}
	}
	if v, ok := p.get("mode"); ok && !strings.EqualFold(v, "aac-hbr") {
		if strings.EqualFold(strings.Trim(v, `"`), "aac-lbr") { // 3.3.5: 6 and 2 bits
			p = p.set("sizelength", "6").set("indexlength", "2").set("indexdeltalength", "2")
		}
		p = p.set("mode", "AAC-hbr")
	}
	if n, err := strconv.Atoi(first(p.get("sizelength"))); err != nil || n < 1 || n > 32 {
		p = p.set("sizelength", "13").set("indexlength", "3").set("indexdeltalength", "3")
	}
	for _, key := range []string{"indexlength", "indexdeltalength"} {
		if v, ok := p.get(key); ok {
			if n, err := strconv.Atoi(v); err != nil || n < 0 || n > 32 {
				p = p.set(key, "3")
			}
		}
	}
	enc, err := hex.DecodeString(first(p.get("config")))
	if err != nil || new(mpeg4audio.AudioSpecificConfig).Unmarshal(enc) != nil {
		c := mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: clock, ChannelCount: channels}
		if b, err := c.Marshal(); err == nil {
			p = p.set("config", hex.EncodeToString(b))
		}
	}
	return p
}

func first(s string, _ bool) string { return s }

// mendLATM: where a configuration stands in the description it is not in the stream, and the
// other way round (RFC 6416 7.3); the clock that goes with the second is 90000/1 by the
// parser's wish.
func mendLATM(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for _, typ := range s.types {
			name, _, _ := s.codec(typ)
			if name != "mp4a-latm" {
				continue
			}
			p := s.fmtp(typ)
			was := p.String()
			config, has := p.get("config")
			if has {
				b, err := hex.DecodeString(config)
				if err != nil || new(mpeg4audio.StreamMuxConfig).Unmarshal(b) != nil {
					p, has = p.without("config"), false
				}
			}
			if v, _ := p.get("cpresent"); has && v == "1" {
				p, has = p.without("config"), false
			} else if has {
				p = p.set("cpresent", "0")
			}
			if v, ok := p.get("profile-level-id"); ok {
				if _, err := strconv.ParseUint(v, 10, 31); err != nil {
					p = p.without("profile-level-id")
				}
			}
			if !has {
				p = p.set("cpresent", "1")
				if _, raw, _ := s.of("rtpmap", typ); !strings.HasSuffix(raw, "/90000/1") {
					s.set("rtpmap", typ, "MP4A-LATM/90000/1")
					odd = true
				}
			}
			if p.String() != was {
				s.set("fmtp", typ, p.String())
				odd = true
			}
		}
	}
	return odd
}

// mendOpus: its clock is 48000 and its channels are 2 in rtpmap, whatever the sound
// (RFC 7587 7); the sound's own stand in sprop-stereo.
func mendOpus(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for _, typ := range s.types {
			name, clock, rest := s.codec(typ)
			if name == "opus" && (clock != 48000 || rest != "2") {
				s.set("rtpmap", typ, "opus/48000/2")
				odd = true
			}
		}
	}
	return odd
}
