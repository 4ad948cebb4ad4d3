package still

import (
	"slices"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// markSide of a mark as it is coded, in pixels: one coding tree unit of H.265.
	markSide = 64
	// marks differ by their height. One belongs to a still, and the next still's is another.
	marks = 16
	// minSide of a picture that is taken: no mark is as wide.
	minSide = 16
)

// mark is a tiny grey key frame that needs nothing before it. Between two pictures it
// clears the decoder, and where it comes out again the picture before it has come out.
type mark struct {
	annexB []byte
	size   int // bytes of it in planes of 4:2:0
}

// markOf is the mark of number n in the codec. It is 2 pixels wide, as no camera's picture.
func markOf(c av.Codec, n int) mark {
	h := 2 + 2*(n%marks)
	m := mark{size: 2 * h * 3 / 2}
	if c == av.H265 {
		m.annexB = hevcMark(2, h)
	} else {
		m.annexB = avcMark(2, h, n)
	}
	return m
}

// push makes the parser of ffmpeg let go of the picture before it: an access unit
// delimiter, which begins the next one (H.264 7.4.1.2.3, H.265 7.4.2.4.4).
func push(c av.Codec) []byte {
	if c == av.H265 {
		return []byte{0, 0, 0, 1, 35 << 1, 1, 0x10}
	}
	return []byte{0, 0, 0, 1, 9, 0x10}
}

// avcMark is an IDR picture of baseline profile in which each macroblock is predicted and
// nothing is left over: 128 everywhere. The order of output is that of decoding, so
// that the decoder holds nothing back.
func avcMark(w, h, n int) []byte {
	var sps, pps, idr bits
	sps.u(8, 66)   // baseline
	sps.u(8, 0xc0) // fits baseline and main
	sps.u(8, 10)
	sps.ue(0, 0, 2, 1) // id, log2_max_frame_num-4, pic_order_cnt_type, max_num_ref_frames
	sps.zeros(1)
	sps.ue(markSide/16-1, markSide/16-1)
	sps.u(3, 0b111) // frame_mbs_only, direct_8x8_inference, frame_cropping
	sps.ue(0, uint64(markSide-w)/2, 0, uint64(markSide-h)/2)
	sps.zeros(1) // no VUI

	pps.ue(0, 0)
	pps.zeros(2)
	pps.ue(0, 0, 0)
	pps.zeros(3)
	pps.ue(0, 0, 0) // quantisers as they stand
	pps.u(3, 0b100) // deblocking_filter_control_present

	idr.ue(0, 7, 0) // first_mb, slice_type I, pps
	idr.zeros(4)
	idr.ue(uint64(n % 2)) // idr_pic_id: that of the next is another
	idr.zeros(2)
	idr.ue(0, 1) // slice_qp_delta, no deblocking
	for range markSide / 16 * markSide / 16 {
		idr.ue(3, 0, 0) // I_16x16_2_0_0 (table 7-11), DC of chroma, mb_qp_delta
		idr.u(1, 1)     // coeff_token: none
	}
	return slices.Concat(sps.nal(0x67), pps.nal(0x68), idr.nal(0x65))
}

// hevcMark is an IDR picture of one coding tree unit. All but its size is fixed, so its
// slice is a constant: the arithmetic coder's output for a grey unit, made once by an
// encoder.
func hevcMark(w, h int) []byte {
	var vps, sps, pps bits
	vps.u(16, 0b0000_1_1_000000_000_1) // id, base layer, one layer, one sub layer, nesting
	vps.u(16, 0xffff)
	hevcProfile(&vps)
	vps.u(1, 1)
	vps.ue(0, 0, 0) // dec_pic_buffering-1, num_reorder, latency
	vps.zeros(6)
	vps.ue(0)
	vps.zeros(2)

	sps.u(8, 1) // vps 0, one sub layer, nesting
	hevcProfile(&sps)
	sps.ue(0, 1, markSide, markSide) // id, 4:2:0
	sps.u(1, 1)                      // conformance window
	sps.ue(0, uint64(markSide-w)/2, 0, uint64(markSide-h)/2)
	sps.ue(0, 0, 4) // bit depths - 8, log2_max_pic_order_cnt_lsb-4
	sps.u(1, 1)
	sps.ue(0, 0, 0)
	sps.ue(0, 3, 0, 3, 0, 0) // coding blocks of 8 to 64, transforms of 4 to 32, no deeper
	sps.zeros(4)             // scaling list, amp, sao, pcm
	sps.ue(0)
	sps.zeros(5) // long term, temporal mvp, smoothing, VUI, extension

	pps.ue(0, 0)
	pps.zeros(7)
	pps.ue(0, 0, 0)
	pps.zeros(3)
	pps.ue(0, 0)    // offsets of chroma
	pps.zeros(6)    // chroma offsets, weighted twice, bypass, tiles, entropy sync
	pps.u(1, 1)     // pps_loop_filter_across_slices_enabled
	pps.u(3, 0b101) // deblocking control: no override, off
	pps.zeros(2)
	pps.ue(0)
	pps.zeros(2)
	return slices.Concat(vps.nal(32<<1, 1), sps.nal(33<<1, 1), pps.nal(34<<1, 1),
		[]byte{0, 0, 0, 1, 20 << 1, 1, 0xad, 0x40, 0xc5, 0x3f, 0x64, 0xa9, 0x2f, 0x9c})
}

// hevcProfile is profile_tier_level (H.265 7.3.3): main, level 1.
func hevcProfile(w *bits) {
	w.u(8, 1)
	w.u(32, 0x60000000) // fits main and main 10
	w.u(4, 0b1001)      // progressive, frames only
	w.zeros(44)
	w.u(8, 30)
}
