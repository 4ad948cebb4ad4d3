package mse

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Track ids in the MP4.
const (
	videoID = 1
	soundID = 2
)

// largestSide of a picture, in pixels: the sample entry has 16 bits for it.
const largestSide = 1<<16 - 1

// initSegment is ftyp and moov of a video track and, unless it is nil, a sound track.
func initSegment(video av.Track, sound *av.Track) ([]byte, error) {
	seg := mp4.CreateEmptyInit()
	seg.AddEmptyTrack(video.ClockRate, "video", "und")
	entry, width, height, err := videoEntry(video)
	if err != nil {
		return nil, fmt.Errorf("mp4: %w", err)
	}
	trak := seg.Moov.Traks[0]
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(width)<<16, mp4.Fixed32(height)<<16
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	if sound != nil {
		seg.AddEmptyTrack(sound.ClockRate, "audio", "und")
		seg.Moov.Traks[1].Mdia.Minf.Stbl.Stsd.AddChild(soundEntry(*sound))
	}
	var b bytes.Buffer
	if err := seg.Encode(&b); err != nil {
		return nil, fmt.Errorf("mp4: %w", err)
	}
	return b.Bytes(), nil
}

// sample is one picture or one packet of sound of a fragment, in its track's ticks.
type sample struct {
	data     []byte
	duration uint32
	ahead    int32 // pts - dts
	key      bool
}

// run is the samples of one track in a fragment.
type run struct {
	id      uint32
	dts     uint64
	samples []sample
}

// Sample flags (ISO 14496-12 8.8.3.1): depends on others, and is no sync sample; or depends on none.
const (
	flagsDelta = 0x01010000
	flagsSync  = 0x02000000
)

// Sizes of the boxes of a fragment, in bytes.
const (
	mfhdSize   = 16
	tfhdSize   = 16
	tfdtSize   = 20
	trunSize   = 20 // without samples
	sampleSize = 16
	boxHeader  = 8
)

// fragmentSize is how many bytes moof and mdat of the runs have.
func fragmentSize(runs []run) (moof, mdat int) {
	moof, mdat = boxHeader+mfhdSize, boxHeader
	for _, r := range runs {
		moof += boxHeader + tfhdSize + tfdtSize + trunSize + sampleSize*len(r.samples)
		for _, s := range r.samples {
			mdat += len(s.data)
		}
	}
	return moof, mdat
}

// appendFragment adds moof and mdat of the runs to b (ISO 14496-12 8.8). It is written out
// here, and not by the library that makes the init segment, because it is done for each
// frame and goes straight into the bytes that all viewers share.
func appendFragment(b []byte, seq uint32, runs ...run) []byte {
	moof, mdat := fragmentSize(runs)
	be := binary.BigEndian
	box := func(size int, name string) {
		b = be.AppendUint32(b, uint32(size))
		b = append(b, name...)
	}
	box(moof, "moof")
	box(mfhdSize, "mfhd")
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, seq)
	offset := moof + boxHeader
	for _, r := range runs {
		trun := trunSize + sampleSize*len(r.samples)
		box(boxHeader+tfhdSize+tfdtSize+trun, "traf")
		box(tfhdSize, "tfhd")
		b = be.AppendUint32(b, 0x020000) // offsets count from the moof
		b = be.AppendUint32(b, r.id)
		box(tfdtSize, "tfdt")
		b = be.AppendUint32(b, 1<<24) // 64 bit
		b = be.AppendUint64(b, r.dts)
		box(trun, "trun")
		// Version 1 (signed composition offsets); data offset, and for each sample
		// duration, size, flags and composition offset.
		b = be.AppendUint32(b, 1<<24|0xf01)
		b = be.AppendUint32(b, uint32(len(r.samples)))
		b = be.AppendUint32(b, uint32(offset))
		for _, s := range r.samples {
			flags := uint32(flagsDelta)
			if s.key {
				flags = flagsSync
			}
			b = be.AppendUint32(b, s.duration)
			b = be.AppendUint32(b, uint32(len(s.data)))
			b = be.AppendUint32(b, flags)
			b = be.AppendUint32(b, uint32(s.ahead))
			offset += len(s.data)
		}
	}
	box(mdat, "mdat")
	for _, r := range runs {
		for _, s := range r.samples {
			b = append(b, s.data...)
		}
	}
	return b
}
