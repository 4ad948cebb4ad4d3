package sound

import (
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// lost: where the samples end so long before the next time stamp a packet is missing.
	// Stamps that shake cost a silence or two of this length, and no more.
	lost = 15 * time.Millisecond
	// surplus: so many samples more than time are the sender's rounding; more are too many.
	surplus = 60 * time.Millisecond
	// maxFill: a hole up to this is filled with silence, a longer one is a new beginning.
	maxFill = time.Second
)

// Transcoder turns units of one track into units of another. It is not for two
// goroutines at once, and holds memory only: to forget it is to end it.
type Transcoder struct {
	from av.Track
	dec  *Decoder
	rs   *resampler // nil: the rates are the same
	enc  *Encoder

	begun  bool
	fresh  bool  // the next unit out is the first after something was missing
	base   int64 // time of the first sample of this run, on the clock that comes out
	made   int64 // samples that came out since
	came   int64 // samples that went in, on the decoder's rate
	start  int64 // time stamp of the first unit of this run, on from's clock
	queue  []int16
	silent []int16
}

// New makes a transcoder from a track of Opus, PCMU, PCMA or L16 to one of these. What
// cannot be made, AAC among it, is ErrUnsupported.
func New(from av.Track, to av.AudioRendition) (*Transcoder, error) {
	near := to.SampleRate
	if near == 0 && (to.Codec == av.PCMU || to.Codec == av.PCMA) {
		near = 8000
	}
	dec, err := NewDecoder(from, near)
	if err != nil {
		return nil, err
	}
	if from.ClockRate == 0 {
		from.ClockRate = uint32(dec.Rate())
	}
	enc, err := NewEncoder(from.ID, to, dec.Rate())
	if err != nil {
		return nil, err
	}
	return &Transcoder{from: from, dec: dec, enc: enc, rs: newResampler(dec.Rate(), enc.Rate())}, nil
}

// Track that comes out; its id is the one that goes in.
func (t *Transcoder) Track() av.Track { return t.enc.Track() }

// Convert takes the next unit and returns what is ready: pieces of 20 ms that follow each
// other without a gap. A hole in the time stamps of up to a second becomes silence; a
// longer one, a step back and a discontinuity are a new beginning, which the first unit
// after it says. An error costs u alone.
func (t *Transcoder) Convert(u *av.Unit) ([]*av.Unit, error) {
	if u.Discontinuity || !t.begun {
		t.restart(u)
	}
	pcm, err := t.dec.Decode(u.Data)
	if err != nil {
		return nil, err
	}
	rate := t.dec.Rate()
	ahead := av.Duration(u.PTS-t.start, t.from.ClockRate) - av.Duration(t.came, uint32(rate))
	switch {
	case ahead > maxFill || ahead < -maxFill:
		t.restart(u)
	case ahead > lost:
		t.push(t.silence(int(av.Ticks(ahead, uint32(rate)))))
	case ahead < -surplus: // more samples than time: the surplus goes
		pcm = pcm[min(len(pcm), int(av.Ticks(-ahead, uint32(rate)))):]
	}
	t.push(pcm)
	return t.pieces(u.Wall)
}

// restart begins a line of time at u.
func (t *Transcoder) restart(u *av.Unit) {
	if t.begun {
		t.dec.Reset()
		t.enc.Reset()
		if t.rs != nil {
			t.rs.reset()
		}
	}
	t.fresh = t.begun || u.Discontinuity
	t.begun = true
	t.queue = t.queue[:0]
	t.start, t.came, t.made = u.PTS, 0, 0
	t.base = av.Ticks(av.Duration(u.PTS, t.from.ClockRate), t.Track().ClockRate)
}

func (t *Transcoder) silence(n int) []int16 {
	if n > len(t.silent) {
		t.silent = make([]int16, n)
	}
	return t.silent[:n]
}

func (t *Transcoder) push(pcm []int16) {
	t.came += int64(len(pcm))
	if t.rs != nil {
		pcm = t.rs.run(pcm)
	}
	t.queue = append(t.queue, pcm...)
}

// pieces makes units of what is queued.
func (t *Transcoder) pieces(wall time.Time) ([]*av.Unit, error) {
	frame := t.enc.Frame()
	if len(t.queue) < frame {
		return nil, nil
	}
	out := make([]*av.Unit, 0, len(t.queue)/frame)
	at := 0
	for ; at+frame <= len(t.queue); at += frame {
		data, err := t.enc.Encode(t.queue[at : at+frame])
		pts := t.base + t.made*int64(t.Track().ClockRate)/int64(t.enc.Rate())
		t.made += int64(frame)
		if err != nil {
			t.queue = t.queue[:copy(t.queue, t.queue[at+frame:])]
			return out, err
		}
		out = append(out, &av.Unit{Track: t.from.ID, Key: true, Discontinuity: t.fresh, PTS: pts, DTS: pts, Wall: wall, Data: data})
		t.fresh = false
	}
	t.queue = t.queue[:copy(t.queue, t.queue[at:])]
	return out, nil
}
