package av

import (
	"time"
)

// Kind of a track.
type Kind string

// Kinds.
const (
	Video Kind = "video"
	Sound Kind = "audio"
	Image Kind = "image"
	File  Kind = "file"
)

// Codec of a track, by its usual short name.
type Codec string

// Codecs that the house carries. What a unit's Data holds:
//
//	h264, h265   one picture: NAL units, each behind its length (4 bytes, big endian)
//	mjpeg, jpeg  one JPEG
//	aac          one raw AAC-LC frame of 1024 samples, without ADTS; the clock is the sample rate
//	opus         one packet (RFC 6716); the clock is 48000 whatever the sound
//	pcmu, pcma   samples of 8 bit (ITU-T G.711), channels interleaved; the clock is the sample rate
//	l16          samples of 16 bit, signed, in network byte order, channels interleaved
//	             (RFC 3551 4.5.11); the clock is the sample rate
//	mp4          a piece of a file, in order
const (
	H264  Codec = "h264"
	H265  Codec = "h265"
	MJPEG Codec = "mjpeg"
	AAC   Codec = "aac"
	Opus  Codec = "opus"
	PCMU  Codec = "pcmu"
	PCMA  Codec = "pcma"
	L16   Codec = "l16"
	JPEG  Codec = "jpeg"
	MP4   Codec = "mp4"
)

const (
	// ImageTrack is the id of the track that JPEGs travel on.
	ImageTrack = 255
	// FileTrack is the id of the track on which a file travels, piece by piece.
	FileTrack = 254
)

// Track describes one elementary stream. A value is not changed once it was announced;
// new parameter sets make a new Track with a Generation one higher.
type Track struct {
	ID         uint8  `json:"id"`
	Kind       Kind   `json:"kind"`
	Codec      Codec  `json:"codec"`
	ClockRate  uint32 `json:"clock_rate"` // ticks of PTS and DTS a second
	Generation uint32 `json:"generation"`

	Width     int     `json:"width,omitempty"`
	Height    int     `json:"height,omitempty"`
	FPS       float64 `json:"fps,omitempty"`
	Reordered bool    `json:"reordered,omitempty"` // has B-frames
	VPS       []byte  `json:"vps,omitempty"`       // parameter sets without start codes
	SPS       []byte  `json:"sps,omitempty"`
	PPS       []byte  `json:"pps,omitempty"`

	SampleRate int `json:"sample_rate,omitempty"`
	Channels   int `json:"channels,omitempty"`
	// AudioConfig is the AudioSpecificConfig of AAC (ISO 14496-3 1.6) or the OpusHead (RFC 7845 5.1).
	AudioConfig []byte `json:"audio_config,omitempty"`
}

// Unit is one access unit: a whole picture, or one packet of sound. It is
// immutable after it was published; slices into Data are shared by all readers.
type Unit struct {
	Track uint8
	Key   bool
	// Discontinuity: units before this one are missing.
	Discontinuity bool
	PTS, DTS      int64 // ticks of the track's ClockRate
	Wall          time.Time
	Generation    uint32
	// Data of H.264 and H.265: NAL units, each behind its length as 4 bytes big
	// endian (ISO 14496-15 5.3.4.2). Of the others: the codec's own bytes.
	Data []byte
}

// NALs calls f with each NAL unit of H.264 or H.265 Data; it stops at a broken length.
func (u *Unit) NALs(f func(nal []byte) bool) {
	for b := u.Data; len(b) >= 4; {
		n := int(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
		if n < 0 || n > len(b)-4 {
			return
		}
		if !f(b[4 : 4+n]) {
			return
		}
		b = b[4+n:]
	}
}

// MaxUnit is the most bytes one unit may have on the socket.
const MaxUnit = 8 << 20

// Rendition is the form in which a reader wants a stream; the zero value is "as it is".
// What fits is a copy. Else the hub makes H.264 in order of any picture, and AAC, Opus,
// G.711 and L16, of one channel, of each other, once for all who ask for the same; what
// it did is told before the first unit, as "converted: " and the reason. All tracks keep
// the times of the source, so that N seconds back, holds and sound with its picture are as
// they are of a copy. A picture that is converted reaches back only to where the first
// reader of that form began.
type Rendition struct {
	Video VideoRendition `json:"video"`
	Audio AudioRendition `json:"audio"`
}

// VideoRendition bounds the picture; zero fields do not. MaxKbps and KeyInterval alone are
// no reason to convert a picture whose bits are about as many; where it is converted, a key
// frame comes each 2 s if nothing else is asked.
type VideoRendition struct {
	Codec       Codec         `json:"codec,omitempty"`
	Profile     string        `json:"profile,omitempty"` // baseline, main, high
	Level       int           `json:"level,omitempty"`   // in tenths: 31 is 3.1
	MaxWidth    int           `json:"max_width,omitempty"`
	MaxHeight   int           `json:"max_height,omitempty"`
	MaxFPS      float64       `json:"max_fps,omitempty"`
	MaxKbps     int           `json:"max_kbps,omitempty"`
	KeyInterval time.Duration `json:"key_interval,omitempty"`
	InOrder     bool          `json:"in_order,omitempty"` // no B-frames
	None        bool          `json:"none,omitempty"`
}

// AudioRendition names the sound wanted; zero fields do not matter. Codec L16 is PCM of 16 bits, mono.
type AudioRendition struct {
	Codec      Codec `json:"codec,omitempty"`
	SampleRate int   `json:"sample_rate,omitempty"`
	Channels   int   `json:"channels,omitempty"`
	Kbps       int   `json:"kbps,omitempty"`
	None       bool  `json:"none,omitempty"`
}

// From says where in the stream a reader begins.
type From uint8

// Beginnings.
const (
	FromKeyFrame    From = 1 // the newest key frame that the ring holds, at once
	FromSecondsBack From = 2 // the key frame at least Back old
	FromLive        From = 3 // the next key frame to come
)

// Start of a reader.
type Start struct {
	From From
	Back time.Duration // with FromSecondsBack
}
