package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hajimehoshi/go-mp3"
	"github.com/jfreymuth/oggvorbis"
)

// What a chime may be at most, and what every clip becomes.
const (
	MaxFile  = 10 << 20
	MaxTime  = 30 * time.Second
	Rate     = 48000
	Channels = 2

	minRate, maxRate = 8000, 192000
	maxChannels      = 8
)

// Clip is sound at Rate with Channels interleaved.
type Clip []float32

// Length of the clip.
func (c Clip) Length() time.Duration {
	return time.Duration(len(c)/Channels) * time.Second / Rate
}

// Error is a file that is no chime.
type Error struct {
	File string
	Why  string
	Fix  string
}

func (e *Error) Error() string { return fmt.Sprintf("sound file %s: %s", e.File, e.Why) }

// Code for `porchlight explain`.
func (*Error) Code() string { return "E-SPK-FILE" }

// Hint says how to mend it.
func (e *Error) Hint() string { return e.Fix }

// IsFile tells whether a sound's name means a file.
func IsFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".wav", ".ogg", ".oga", ".mp3":
		return true
	}
	return strings.ContainsRune(name, '/')
}

// File reads and decodes a file.
func File(path string) (Clip, error) {
	bad := func(why, fix string) (Clip, error) { return nil, &Error{File: path, Why: why, Fix: fix} }
	if !filepath.IsAbs(path) {
		return bad("is not an absolute path", "write the whole path, beginning with /")
	}
	f, err := os.Open(path)
	if err != nil {
		why := errors.Unwrap(err)
		if why == nil {
			why = err
		}
		return bad("open: "+why.Error(), "check the path, and that the hub's user may read it")
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return bad("stat: "+err.Error(), "")
	case !st.Mode().IsRegular():
		return bad("is no regular file", "name a WAV, OGG or MP3 file")
	case st.Size() > MaxFile:
		return bad(fmt.Sprintf("has %d MiB, at most %d are read", st.Size()>>20, MaxFile>>20), "make it shorter, or save it as OGG or MP3")
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return bad("read: "+err.Error(), "")
	}
	c, err := Bytes(b)
	if err != nil {
		return bad(err.Error(), "open it in a player to see whether it is sound; WAV (PCM), Ogg Vorbis and MP3 are understood")
	}
	return c, nil
}

// Bytes decodes what the first bytes say it is.
func Bytes(b []byte) (c Clip, err error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("has %d bytes, at most %d are read", len(b), MaxFile)
	}
	defer func() { // the decoders are not ours
		if v := recover(); v != nil {
			c, err = nil, fmt.Errorf("is damaged: %v", v)
		}
	}()
	switch {
	case bytes.HasPrefix(b, []byte("RIFF")):
		return wav(b)
	case bytes.HasPrefix(b, []byte("OggS")):
		return vorbis(b)
	case bytes.HasPrefix(b, []byte("ID3")), len(b) > 1 && b[0] == 0xff && b[1]&0xe0 == 0xe0:
		return layer3(b)
	case len(b) == 0:
		return nil, errors.New("is empty")
	}
	return nil, errors.New("is neither WAV nor Ogg Vorbis nor MP3")
}

func checkFormat(rate, channels int) error {
	if rate < minRate || rate > maxRate {
		return fmt.Errorf("has %d samples a second, understood are %d to %d", rate, minRate, maxRate)
	}
	if channels < 1 || channels > maxChannels {
		return fmt.Errorf("has %d channels, understood are 1 to %d", channels, maxChannels)
	}
	return nil
}

// maxSamples bounds what is decoded, in samples of all channels.
func maxSamples(rate, channels int) int { return int(MaxTime.Seconds()) * rate * channels }

func errTooLong() error { return fmt.Errorf("is longer than %s", MaxTime) }

func vorbis(b []byte) (Clip, error) {
	r, err := oggvorbis.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("ogg: %w", err)
	}
	if err := checkFormat(r.SampleRate(), r.Channels()); err != nil {
		return nil, err
	}
	limit := maxSamples(r.SampleRate(), r.Channels())
	buf := make([]float32, 4096*r.Channels())
	var pcm []float32
	for {
		n, err := r.Read(buf)
		pcm = append(pcm, buf[:n]...)
		switch {
		case len(pcm) > limit:
			return nil, errTooLong()
		case errors.Is(err, io.EOF):
			return convert(pcm, r.SampleRate(), r.Channels())
		case err != nil:
			return nil, fmt.Errorf("ogg: %w", err)
		case n == 0:
			return nil, errors.New("ogg: stops in the middle")
		}
	}
}

func layer3(b []byte) (Clip, error) {
	r, err := mp3.NewDecoder(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("mp3: %w", err)
	}
	// The decoder always gives 16 bit stereo.
	if err := checkFormat(r.SampleRate(), 2); err != nil {
		return nil, err
	}
	limit := maxSamples(r.SampleRate(), 2) * 2
	raw, err := io.ReadAll(io.LimitReader(r, int64(limit)+4))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("mp3: %w", err)
	}
	if len(raw) > limit {
		return nil, errTooLong()
	}
	return convert(int16s(raw), r.SampleRate(), 2)
}

// convert brings samples to the clip's rate and channels: one channel goes to both
// sides, of more than two the first two are taken.
func convert(pcm []float32, rate, channels int) (Clip, error) {
	frames := len(pcm) / channels
	if frames == 0 {
		return nil, errors.New("holds no sound")
	}
	out := make(Clip, 0, (frames*Rate/rate+1)*Channels)
	at := func(frame, side int) float64 {
		v := pcm[min(max(frame, 0), frames-1)*channels+min(side, channels-1)]
		if v != v { // not a number
			return 0
		}
		return float64(min(max(v, -1), 1))
	}
	step := float64(rate) / Rate
	for i := 0; ; i++ {
		pos := float64(i) * step
		k := int(pos)
		if k >= frames {
			return out, nil
		}
		for side := range Channels {
			out = append(out, float32(hermite(at(k-1, side), at(k, side), at(k+1, side), at(k+2, side), pos-float64(k))))
		}
	}
}

// hermite goes smoothly through four samples.
func hermite(a, b, c, d, t float64) float64 {
	c1 := (c - a) / 2
	c2 := a - 2.5*b + 2*c - d/2
	c3 := (d-a)/2 + 1.5*(b-c)
	return min(max(((c3*t+c2)*t+c1)*t+b, -1), 1)
}
