//go:build loop

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// packLoop cuts and joins what ffmpeg encoded. The format is described in ../../loop.go, which reads it.
func packLoop(args []string) error {
	if len(args) != 4 {
		return errors.New("pack: want H264 AAC OPUS OUT")
	}
	var in [3][]byte
	for i := range in {
		b, err := os.ReadFile(args[i])
		if err != nil {
			return err
		}
		in[i] = b
	}
	p := &packer{}
	for _, f := range []func() error{
		func() error { return p.video(in[0]) },
		func() error { return p.aac(in[1]) },
		func() error { return p.opus(in[2]) },
		p.pictures,
	} {
		if err := f(); err != nil {
			return fmt.Errorf("pack: %w", err)
		}
	}
	head, err := json.Marshal(p.tracks)
	if err != nil {
		return err
	}
	out := append([]byte("PLLOOP1\n"), binary.LittleEndian.AppendUint32(nil, uint32(len(head)))...)
	out = append(append(out, head...), p.units...)
	return os.WriteFile(args[3], out, 0o644)
}

type packer struct {
	tracks []av.Track
	units  []byte
}

func (p *packer) unit(track uint8, key bool, pts int, data []byte) {
	flags := byte(0)
	if key {
		flags = 1
	}
	p.units = append(p.units, track, flags)
	p.units = binary.LittleEndian.AppendUint32(p.units, uint32(pts))
	p.units = binary.LittleEndian.AppendUint32(p.units, uint32(len(data)))
	p.units = append(p.units, data...)
}

// video splits Annex-B at its access unit delimiters (H.264 7.4.1.2.3).
func (p *packer) video(b []byte) error {
	t := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Generation: 1, Width: width, Height: height, FPS: fps}
	var unit []byte
	var key bool
	n := 0
	flush := func() {
		if len(unit) > 0 {
			p.unit(1, key, n*90000/fps, unit)
			n++
		}
		unit, key = nil, false
	}
	for _, nal := range bytes.Split(bytes.ReplaceAll(b, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1}) {
		if len(nal) == 0 {
			continue
		}
		switch nal[0] & 31 {
		case 9:
			flush()
			continue
		case 7:
			t.SPS = nal
		case 8:
			t.PPS = nal
		case 6:
			continue // the encoder's advertisement of itself
		case 5:
			key = true
			fallthrough
		default:
			unit = binary.BigEndian.AppendUint32(unit, uint32(len(nal)))
			unit = append(unit, nal...)
		}
	}
	flush()
	if n != seconds*fps {
		return fmt.Errorf("video: %d frames, want %d", n, seconds*fps)
	}
	p.tracks = append(p.tracks, t)
	return nil
}

// aac takes the middle turn out of ADTS (ISO 13818-7 6.2). The encoder puts one
// frame of priming first.
func (p *packer) aac(b []byte) error {
	const each, hz = 1024, 32000
	per := seconds * hz / each
	var frames [][]byte
	for len(b) >= 7 {
		n := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
		if b[0] != 0xff || n < 7 || n > len(b) {
			return errors.New("aac: not ADTS")
		}
		frames = append(frames, b[7:n])
		b = b[n:]
	}
	if len(frames) < 1+2*per {
		return fmt.Errorf("aac: %d frames, want %d", len(frames), 1+2*per)
	}
	for i, f := range frames[1+per : 1+2*per] {
		p.unit(2, true, i*each, f)
	}
	// AAC-LC (object type 2), 32 kHz (index 5), one channel.
	p.tracks = append(p.tracks, av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: hz, Generation: 1, SampleRate: hz, Channels: 1, AudioConfig: []byte{2<<3 | 5>>1, 5<<7&0xff | 1<<3}})
	return nil
}

// opus takes the middle turn out of Ogg (RFC 3533, RFC 7845).
func (p *packer) opus(b []byte) error {
	const each, hz = 960, 48000
	var packets [][]byte
	var part []byte
	for len(b) >= 27 && string(b[:4]) == "OggS" {
		segs := b[27 : 27+int(b[26])]
		b = b[27+len(segs):]
		for _, s := range segs {
			part = append(part, b[:s]...)
			b = b[s:]
			if s < 255 {
				packets, part = append(packets, part), nil
			}
		}
	}
	per := seconds * hz / each
	if len(packets) < 2+2*per {
		return fmt.Errorf("opus: %d packets, want %d", len(packets), 2+2*per)
	}
	for i, f := range packets[2+per : 2+2*per] {
		p.unit(3, true, i*each, f)
	}
	p.tracks = append(p.tracks, av.Track{ID: 3, Kind: av.Sound, Codec: av.Opus, ClockRate: hz, Generation: 1, SampleRate: hz, Channels: 1, AudioConfig: packets[0]})
	return nil
}

// pictures adds one JPEG a second at half the size, the ground for snapshots: the
// plugin has no decoder for its own video.
func (p *packer) pictures() error {
	s := newScene()
	buf := make([]byte, width*height*3)
	for i := range seconds {
		s.paint(float64(i) + 0.5).bytes(buf)
		img := image.NewRGBA(image.Rect(0, 0, width/2, height/2))
		for y := range height / 2 {
			for x := range width / 2 {
				at := func(c int) uint8 {
					o := (y*2*width+x*2)*3 + c
					return uint8((int(buf[o]) + int(buf[o+3]) + int(buf[o+width*3]) + int(buf[o+width*3+3]) + 2) / 4)
				}
				img.SetRGBA(x, y, color.RGBA{at(0), at(1), at(2), 255})
			}
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 76}); err != nil {
			return err
		}
		p.unit(av.ImageTrack, true, i*1000, out.Bytes())
	}
	p.tracks = append(p.tracks, av.Track{ID: av.ImageTrack, Kind: av.Image, Codec: av.JPEG, ClockRate: 1000, Generation: 1, Width: width / 2, Height: height / 2, FPS: 1})
	return nil
}
