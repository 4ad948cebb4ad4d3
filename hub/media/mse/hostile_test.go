package mse

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// nal packs bits ("01…") behind the bytes given and escapes what would be a start code.
func nal(head []byte, bits string) []byte {
	bits += "1" + strings.Repeat("0", 7-len(bits)%8)
	raw := slices.Clone(head)
	for ; bits != ""; bits = bits[8:] {
		n, _ := strconv.ParseUint(bits[:8], 2, 8)
		raw = append(raw, byte(n))
	}
	var out []byte
	zeros := 0
	for _, c := range raw {
		if zeros >= 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, c)
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return out
}

// ue is an Exp-Golomb code (H.264 9.1).
func ue(n uint64) string {
	s := strconv.FormatUint(n+1, 2)
	return strings.Repeat("0", len(s)-1) + s
}

// A set of parameters may claim 2^48 reference frames: reading it must not take what it
// claims, nor end in a panic, which would be the hub's end.
func TestParameterSetsThatClaimTooMuch(t *testing.T) {
	for _, frames := range []uint64{256, 1 << 24, 1 << 48, 1 << 62} {
		// seq_parameter_set_id, log2_max_frame_num, pic_order_cnt_type 1 with its flag and two offsets, the count.
		sps := nal([]byte{0x67, 66, 0, 31}, ue(0)+ue(0)+ue(1)+"0"+ue(0)+ue(0)+ue(frames)+strings.Repeat("1", 64))
		v := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, SPS: sps, PPS: []byte{0x68, 0xee, 0x3c, 0x80}}
		if _, err := initSegment(v, nil); err == nil {
			t.Errorf("%d frames: taken", frames)
		}
	}
}

// Pictures wait for sound that was described, but not without end.
func TestPicturesThatWaitForSoundAreBounded(t *testing.T) {
	core := media.New(media.Limits{})
	m := &mux{feed: newFeed(), how: media.Copy}
	s := core.Stream("door", "main")
	video := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000,
		SPS: []byte{0x67, 0x4d, 0x40, 0x1f, 0x9a, 0x64, 0x02, 0x80, 0x2d, 0xff, 0x80, 0xb5, 0x01, 0x01, 0x01, 0x40, 0, 0, 0xfa, 0, 0, 0x3a, 0x98, 0x24}, PPS: []byte{0x68, 0xee, 0x3c, 0x80}}
	begin(t, s, video)
	m.begin(1, []av.Track{video, {ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 48000, AudioConfig: []byte{0x12, 0x10}}})
	for i := range 20 * maxPictures {
		m.unit(&av.Unit{Track: 1, Key: i == 0, DTS: int64(i), PTS: int64(i)}) // one tick apart: half a second is 45,000 pictures
		if n := len(m.pictures); n > maxPictures {
			t.Fatalf("%d pictures wait", n)
		}
	}
}

// FuzzInitSegment: parameter sets come from plugins, and from cameras through them. What
// is no parameter set is an error, never a panic.
func FuzzInitSegment(f *testing.F) {
	h := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(false, []byte(nil), h("674d401f9a6402802dff80b5010101400000fa00003a9824"), h("68ee3c80"), []byte{0x12, 0x10}, uint32(90000), 1280, 720)
	f.Add(false, []byte(nil), []byte{0x67}, []byte{0x68}, []byte{}, uint32(1), -1, 1<<30)
	f.Add(true, h("40010c01ffff016000000300900000030000030078959809"), h("420101016000000300900000030000030078a003c08010e5965666924caf016a020202080000030008000003019040"),
		h("4401c172b46240"), []byte{0x2b, 0x92, 0x08, 0}, uint32(90000), 1920, 1080)
	f.Fuzz(func(t *testing.T, hevc bool, vps, sps, pps, config []byte, rate uint32, w, hgt int) {
		v := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: rate, VPS: vps, SPS: sps, PPS: pps, Width: w, Height: hgt}
		if hevc {
			v.Codec = av.H265
		}
		_ = v.CodecString()
		s := av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: rate, AudioConfig: config, Channels: w, SampleRate: hgt}
		_ = s.CodecString()
		_, _ = initSegment(v, &s)
	})
}
