package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Formats of a WAV (mmreg.h).
const (
	wavPCM        = 1
	wavFloat      = 3
	wavExtensible = 0xfffe
)

// wavFormat is a "fmt " chunk.
type wavFormat struct {
	tag            uint16
	channels, rate int
	bits           int
}

// wav reads RIFF/WAVE with PCM of 8 to 32 bits or floats.
func wav(b []byte) (Clip, error) {
	if len(b) < 12 || string(b[8:12]) != "WAVE" {
		return nil, errors.New("wav: is no WAVE file")
	}
	var f *wavFormat
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), int(min(binary.LittleEndian.Uint32(b[4:]), MaxFile))
		body := b[8:min(8+size, len(b))] // a recorder that died leaves a size too large
		switch id {
		case "fmt ":
			g, err := wavHead(body)
			if err != nil {
				return nil, err
			}
			f = g
		case "data":
			if f == nil {
				return nil, errors.New("wav: the sound comes before its format")
			}
			return f.samples(body)
		}
		b = b[min(8+size+size%2, len(b)):]
	}
	return nil, errors.New("wav: holds no sound")
}

func wavHead(b []byte) (*wavFormat, error) {
	if len(b) < 16 {
		return nil, errors.New("wav: its format is cut off")
	}
	f := &wavFormat{
		tag: binary.LittleEndian.Uint16(b), channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate: int(binary.LittleEndian.Uint32(b[4:])), bits: int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible {
		if len(b) < 26 {
			return nil, errors.New("wav: its format is cut off")
		}
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	if err := checkFormat(f.rate, f.channels); err != nil {
		return nil, err
	}
	switch {
	case f.tag == wavPCM && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32):
	case f.tag == wavFloat && (f.bits == 32 || f.bits == 64):
	default:
		return nil, fmt.Errorf("wav: format %d with %d bits is not understood; save it as 16 bit PCM", f.tag, f.bits)
	}
	return f, nil
}

func (f *wavFormat) samples(b []byte) (Clip, error) {
	width := f.bits / 8
	n := len(b) / (width * f.channels) * f.channels
	if n > maxSamples(f.rate, f.channels) {
		return nil, errTooLong()
	}
	if f.tag == wavPCM && f.bits == 16 {
		return convert(int16s(b[:n*2]), f.rate, f.channels)
	}
	pcm := make([]float32, n)
	for i := range pcm {
		pcm[i] = f.sample(b[i*width:])
	}
	return convert(pcm, f.rate, f.channels)
}

func (f *wavFormat) sample(s []byte) float32 {
	switch {
	case f.tag == wavFloat && f.bits == 32:
		return math.Float32frombits(binary.LittleEndian.Uint32(s))
	case f.tag == wavFloat:
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(s)))
	case f.bits == 8: // the only one without a sign
		return (float32(s[0]) - 128) / 128
	case f.bits == 24:
		return float32(int32(uint32(s[0])<<8|uint32(s[1])<<16|uint32(s[2])<<24)) / (1 << 31)
	}
	return float32(int32(binary.LittleEndian.Uint32(s))) / (1 << 31)
}

func int16s(b []byte) []float32 {
	out := make([]float32, len(b)/2)
	for i := range out {
		out[i] = float32(int16(binary.LittleEndian.Uint16(b[2*i:]))) / 32768
	}
	return out
}
