package units

import (
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Unit is one access unit on the clock of its track.
type Unit struct {
	PTS, DTS int64 // ticks of the track's ClockRate, unwrapped
	Key      bool
	Lost     bool // units before this one are missing
	Data     []byte
	// Track describes what follows, where it is described anew; nil: as before.
	Track *av.Track
}

// Options of a reader.
type Options struct {
	ID     uint8 // of the track
	Clock  int   // of RTP, ticks a second; 0: the track's own
	Slices bool  // the marker ends a slice, not a picture
	// Without names repairs that are switched off.
	Without func(repair string) bool
}

// Notes of a reader: what it met.
type Notes struct {
	Lost     uint64 // packets that never came
	Damaged  uint64 // pictures and packets that were thrown away
	Disorder uint64 // pictures whose order of decoding had to be guessed
	AnnexB   bool   // start codes inside RTP
	Slices   bool   // the marker ends a slice
	NoIDR    bool   // key frames are recovery points
}

// Reader makes units of the packets of one track, which it takes in the order of their
// numbers.
type Reader interface {
	// Read takes one packet and calls emit for each unit that is whole with it.
	Read(p *Packet, emit func(Unit))
	// Track is the description so far; false: its parameter sets have not come yet.
	Track() (av.Track, bool)
	Notes() Notes
}

// NewReader makes the reader of a format; it says why where there is none.
func NewReader(f format.Format, o Options) (Reader, error) {
	if o.Without == nil {
		o.Without = func(string) bool { return false }
	}
	switch f := f.(type) {
	case *format.H264:
		if f.PacketizationMode > 1 {
			return nil, fmt.Errorf("interleaved H.264 (packetization mode %d) is not carried", f.PacketizationMode)
		}
		return newPictures(avc{}, o, nil, f.SPS, f.PPS), nil
	case *format.H265:
		if f.MaxDONDiff != 0 {
			return nil, fmt.Errorf("interleaved H.265 is not carried")
		}
		return newPictures(hevc{}, o, f.VPS, f.SPS, f.PPS), nil
	case *format.MJPEG:
		return newJPEGs(o), nil
	case *format.MPEG4Audio:
		return newAAC(f, o)
	case *format.MPEG4AudioLATM:
		return newLATM(f, o)
	case *format.Opus:
		return newPlain(av.OpusTrack(o.ID, max(1, f.ChannelCount)), o), nil
	case *format.G711:
		codec := av.PCMA
		if f.MULaw {
			codec = av.PCMU
		}
		return newPlain(av.PCMTrack(o.ID, codec, f.SampleRate, f.ChannelCount), o), nil
	case *format.LPCM:
		if f.BitDepth == 16 {
			return newPlain(av.PCMTrack(o.ID, av.L16, f.SampleRate, f.ChannelCount), o), nil
		}
	}
	return nil, fmt.Errorf("%s is not carried", f.Codec())
}

// unwrap makes 64 bits of the 32 of RTP and puts them onto the track's clock.
type unwrap struct {
	last  uint32
	total int64
	begun bool
	from  int // RTP ticks a second
	to    uint32
}

func (u *unwrap) ticks(t uint32) int64 {
	if !u.begun {
		u.begun, u.total = true, int64(t)
	} else {
		u.total += int64(int32(t - u.last))
	}
	u.last = t
	return u.scaled(u.total)
}

func (u *unwrap) scaled(t int64) int64 {
	if u.from <= 0 || uint32(u.from) == u.to {
		return t
	}
	s, rest := t/int64(u.from), t%int64(u.from)
	return s*int64(u.to) + rest*int64(u.to)/int64(u.from)
}

// Unwrapper puts times of RTP onto a track's clock as its reader does, for sender reports.
type Unwrapper struct{ u unwrap }

// NewUnwrapper for packets of clock ticks a second.
func NewUnwrapper(clock int) *Unwrapper { return &Unwrapper{unwrap{from: clock}} }

// Packet notes the time of a packet.
func (w *Unwrapper) Packet(t uint32) { w.u.ticks(t) }

// Near is t on a clock of rate ticks a second, at the time nearest to the last packet's.
func (w *Unwrapper) Near(t uint32, rate uint32) int64 {
	u := w.u
	u.to = rate
	return u.scaled(u.total + int64(int32(t-u.last)))
}

// sequence counts what is missing between packets.
type sequence struct {
	next  uint16
	begun bool
}

// gap reports whether packets are missing before p, and how many.
func (s *sequence) gap(p *Packet) (missing uint64, gap bool) {
	defer func() { s.begun, s.next = true, p.Seq+1 }()
	if !s.begun || p.Seq == s.next {
		return 0, false
	}
	if n := p.Seq - s.next; n < 1<<15 {
		return uint64(n), true
	}
	return 0, true // the camera counts anew
}
