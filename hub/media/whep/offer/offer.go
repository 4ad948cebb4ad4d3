package offer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

const (
	// maxSections and maxCodecs of an offer: browsers have two and about thirty.
	maxSections = 8
	maxCodecs   = 128
)

// Offer is what a browser can receive.
type Offer struct {
	Text         string
	Video, Audio *Section // nil: none to receive; of sound also one to send
}

// Section is one media section of an offer.
type Section struct {
	codecs []webrtc.RTPCodecParameters
	exts   []string // names of header extensions
	sends  bool     // the browser may send here
	takes  bool
}

// Read takes the SDP of a browser apart. Only the first section of each kind counts.
func Read(text string) (*Offer, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("sdp: %w", err)
	}
	if len(d.MediaDescriptions) > maxSections {
		return nil, fmt.Errorf("%d media sections", len(d.MediaDescriptions))
	}
	o := &Offer{Text: text}
	for _, m := range d.MediaDescriptions {
		s, err := readSection(&d, m)
		if err != nil {
			return nil, err
		}
		switch {
		case m.MediaName.Media == "video" && o.Video == nil && s.takes:
			o.Video = s
		case m.MediaName.Media == "audio" && o.Audio == nil && (s.takes || s.sends):
			o.Audio = s
		}
	}
	if o.Video == nil && (o.Audio == nil || !o.Audio.takes) {
		return nil, errors.New("no section to receive")
	}
	return o, nil
}

func readSection(d *sdp.SessionDescription, m *sdp.MediaDescription) (*Section, error) {
	s := &Section{}
	if len(m.MediaName.Formats) > maxCodecs {
		return nil, fmt.Errorf("%d formats", len(m.MediaName.Formats))
	}
	direction := "sendrecv" // RFC 8866 6.7
	for _, of := range [][]sdp.Attribute{d.Attributes, m.Attributes} {
		for _, a := range of {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				direction = a.Key
			}
		}
	}
	s.takes = direction == "sendrecv" || direction == "recvonly"
	s.sends = direction == "sendrecv" || direction == "sendonly"
	for _, f := range m.MediaName.Formats {
		if c, ok := codec(m, f); ok {
			s.codecs = append(s.codecs, c)
		}
	}
	for _, a := range m.Attributes {
		if a.Key != "extmap" {
			continue
		}
		if f := strings.Fields(a.Value); len(f) >= 2 {
			s.exts = append(s.exts, f[1])
		}
	}
	return s, nil
}

// codec is what the section says of one payload type.
func codec(m *sdp.MediaDescription, format string) (webrtc.RTPCodecParameters, bool) {
	pt, err := strconv.ParseUint(format, 10, 7)
	if err != nil {
		return webrtc.RTPCodecParameters{}, false
	}
	c := webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(pt)}
	for _, a := range m.Attributes {
		of, rest, _ := strings.Cut(a.Value, " ")
		if of != format && (a.Key != "rtcp-fb" || of != "*") {
			continue
		}
		switch a.Key {
		case "rtpmap":
			name, clock, _ := strings.Cut(rest, "/")
			clock, channels, _ := strings.Cut(clock, "/")
			rate, err := strconv.ParseUint(clock, 10, 32)
			if err != nil {
				return c, false
			}
			c.MimeType = m.MediaName.Media + "/" + name
			c.ClockRate = uint32(rate)
			if n, err := strconv.ParseUint(channels, 10, 8); err == nil {
				c.Channels = uint16(n)
			}
		case "fmtp":
			c.SDPFmtpLine = rest
		case "rtcp-fb":
			kind, parameter, _ := strings.Cut(rest, " ")
			c.RTCPFeedback = append(c.RTCPFeedback, webrtc.RTCPFeedback{Type: kind, Parameter: parameter})
		}
	}
	if c.MimeType == "" && pt == 0 { // RFC 3551 table 4
		c.MimeType, c.ClockRate = webrtc.MimeTypePCMU, 8000
	}
	if c.MimeType == "" && pt == 8 {
		c.MimeType, c.ClockRate = webrtc.MimeTypePCMA, 8000
	}
	return c, c.MimeType != ""
}

// find is the codecs of that name, in the browser's order.
func (s *Section) find(mime string) []webrtc.RTPCodecParameters {
	if s == nil {
		return nil
	}
	var out []webrtc.RTPCodecParameters
	for _, c := range s.codecs {
		if strings.EqualFold(c.MimeType, mime) {
			out = append(out, c)
		}
	}
	return out
}

// Has reports whether the browser offers a header extension.
func (s *Section) Has(ext string) bool { return s != nil && slices.Contains(s.exts, ext) }

// parameter of a format line, lower case.
func parameter(line, name string) string {
	for p := range strings.SplitSeq(line, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(k, name) {
			return strings.ToLower(v)
		}
	}
	return ""
}
