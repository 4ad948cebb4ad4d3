package offer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Choice is in which form a browser gets a stream.
type Choice struct {
	Want  av.Rendition
	Video *webrtc.RTPCodecParameters // nil: no picture
	Audio *webrtc.RTPCodecParameters // nil: no sound
	// Speech is what the browser may send, best first; empty: it may not, or cannot.
	Speech     []webrtc.RTPCodecParameters
	VideoCodec av.Codec
	AudioCodec av.Codec
}

// Choose finds the form for tracks; an error: none, with the reason.
func Choose(tracks []av.Track, o *Offer, mayTalk bool) (Choice, error) {
	var c Choice
	if err := c.chooseVideo(tracks, o.Video); err != nil {
		return c, err
	}
	c.chooseAudio(tracks, o.Audio)
	if mayTalk && o.Audio != nil && o.Audio.sends {
		c.Speech = append(o.Audio.find(webrtc.MimeTypeOpus), o.Audio.find(webrtc.MimeTypePCMU)...)
	}
	if c.Video == nil && c.Audio == nil {
		return c, errors.New("there is neither a picture nor a sound that it takes")
	}
	return c, nil
}

func (c *Choice) chooseVideo(tracks []av.Track, s *Section) error {
	i := slices.IndexFunc(tracks, func(t av.Track) bool { return t.Kind == av.Video })
	if i < 0 || s == nil {
		c.Want.Video.None = true
		return nil
	}
	t := tracks[i]
	c.Want.Video.InOrder = true
	if t.Codec == av.H265 {
		if found := s.find(webrtc.MimeTypeH265); len(found) > 0 {
			c.Video, c.VideoCodec, c.Want.Video.Codec = &found[0], av.H265, av.H265
			return nil
		}
	}
	found, name, err := h264Of(s, t)
	if err != nil {
		return err
	}
	c.Video, c.VideoCodec = found, av.H264
	c.Want.Video.Codec, c.Want.Video.Profile = av.H264, name
	return nil
}

// h264Of is the payload type for t with the least profile that carries it, else with the
// greatest one there is, which t has to be made for.
func h264Of(s *Section, t av.Track) (*webrtc.RTPCodecParameters, string, error) {
	need := 3 // what is made is made as well as the browser can take it
	if t.Codec == av.H264 && len(t.SPS) >= 2 {
		need = rank(t.SPS[1])
	}
	var best *webrtc.RTPCodecParameters
	have := 0
	for _, f := range s.find(webrtc.MimeTypeH264) {
		// Fragments are needed (RFC 6184 6.3).
		if parameter(f.SDPFmtpLine, "packetization-mode") != "1" {
			continue
		}
		n := 1
		if id, err := hex.DecodeString(parameter(f.SDPFmtpLine, "profile-level-id")); err == nil && len(id) == 3 {
			n = rank(id[0])
		}
		better := best == nil || n >= need && (have < need || n < have || n == have && constrained(f) && !constrained(*best)) || n < need && n > have
		if better {
			best, have = &f, n
		}
	}
	if best == nil {
		return nil, "", fmt.Errorf("the browser takes no H.264 in fragments, and the picture is %s", t.Codec)
	}
	return best, []string{"", "baseline", "main", "high", "high"}[have], nil
}

// constrained reports whether a baseline format is constrained baseline, which is what
// every decoder has.
func constrained(c webrtc.RTPCodecParameters) bool {
	id, err := hex.DecodeString(parameter(c.SDPFmtpLine, "profile-level-id"))
	return err == nil && len(id) == 3 && id[1]&0x40 != 0
}

// rank of H.264 profiles by what a decoder must know (annex A).
func rank(idc byte) int {
	switch idc {
	case 66:
		return 1
	case 77, 88:
		return 2
	case 244: // more than High: what takes it takes High
		return 4
	}
	return 3
}

func (c *Choice) chooseAudio(tracks []av.Track, s *Section) {
	c.Want.Audio.None = true
	if s == nil || !s.takes {
		return
	}
	opus := s.find(webrtc.MimeTypeOpus)
	sound := false
	for _, t := range tracks {
		if t.Kind != av.Sound {
			continue
		}
		sound = true
		var found []webrtc.RTPCodecParameters
		switch {
		case t.Codec == av.Opus:
			found = opus
		case t.Codec == av.PCMU && t.SampleRate == 8000 && t.Channels == 1:
			found = s.find(webrtc.MimeTypePCMU)
		case t.Codec == av.PCMA && t.SampleRate == 8000 && t.Channels == 1:
			found = s.find(webrtc.MimeTypePCMA)
		}
		if len(found) > 0 {
			c.Audio, c.AudioCodec = &found[0], t.Codec
			c.Want.Audio = av.AudioRendition{Codec: t.Codec}
			return
		}
	}
	if sound && len(opus) > 0 {
		c.Audio, c.AudioCodec = &opus[0], av.Opus
		c.Want.Audio = av.AudioRendition{Codec: av.Opus}
	}
}
