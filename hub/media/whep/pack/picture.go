package pack

import (
	"encoding/binary"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// NAL unit types of aggregation and fragments: RFC 6184 5.2 for H.264, RFC 7798 4.4 for H.265.
const (
	stapA = 24
	fuA   = 28

	ap265 = 48
	fu265 = 49
)

// Picture packs one picture of H.264 or H.265.
func Picture(t av.Track, u *av.Unit) Packed {
	var sets [][]byte
	if u.Key {
		sets = parameterSets(t)
	}
	// One array for all payloads: data, and a few bytes more for each of them.
	p := packer{h265: t.Codec == av.H265, buf: make([]byte, 0, len(u.Data)+len(u.Data)/Payload*4+512)}
	if len(sets) > 0 {
		p.together(sets)
	}
	u.NALs(func(nal []byte) bool {
		p.nal(nal)
		return true
	})
	out := Packed{Payloads: make([][]byte, len(p.ends))}
	from := 0
	for i, end := range p.ends {
		out.Payloads[i] = p.buf[from:end:end]
		from = end
	}
	out.Bytes = from
	return out
}

// parameterSets of t in sending order. A baseline stream of a camera is constrained
// baseline, whatever it says: nobody encodes what the constraint excludes, and decoders
// that know only the constrained one refuse it by the flag (H.264 A.2.1, A.2.1.1).
func parameterSets(t av.Track) [][]byte {
	var sets [][]byte
	for _, s := range [][]byte{t.VPS, t.SPS, t.PPS} {
		if len(s) > 0 {
			sets = append(sets, s)
		}
	}
	if t.Codec == av.H264 && len(t.SPS) >= 4 && t.SPS[1] == 66 {
		sps := append([]byte(nil), t.SPS...)
		sps[2] |= 0xc0
		sets[0] = sps
	}
	return sets
}

// packer writes payloads one behind the other; ends says where each one ends.
type packer struct {
	h265 bool
	buf  []byte
	ends []int
}

func (p *packer) end() { p.ends = append(p.ends, len(p.buf)) }

// together puts small NAL units into one payload, or each into its own if they do not fit.
func (p *packer) together(nals [][]byte) {
	size := 2
	for _, n := range nals {
		size += 2 + len(n)
	}
	if size > Payload || len(nals) == 1 {
		for _, n := range nals {
			p.nal(n)
		}
		return
	}
	if p.h265 {
		p.buf = append(p.buf, ap265<<1, 1)
	} else {
		p.buf = append(p.buf, stapA|nals[0][0]&0x60)
	}
	for _, n := range nals {
		p.buf = binary.BigEndian.AppendUint16(p.buf, uint16(len(n)))
		p.buf = append(p.buf, n...)
	}
	p.end()
}

// nal writes one NAL unit, cut into fragments if it is long.
func (p *packer) nal(nal []byte) {
	head := 1
	if p.h265 {
		head = 2
	}
	if len(nal) <= head {
		return // nothing in it
	}
	if len(nal) <= Payload {
		p.buf = append(p.buf, nal...)
		p.end()
		return
	}
	kind := nal[0] & 0x1f
	if p.h265 {
		kind = nal[0] >> 1 & 0x3f
	}
	rest := nal[head:]
	for first := true; len(rest) > 0; first = false {
		n := min(len(rest), Payload-head-1)
		flags := kind
		if first {
			flags |= 0x80
		}
		if n == len(rest) {
			flags |= 0x40
		}
		if p.h265 {
			p.buf = append(p.buf, nal[0]&0x81|fu265<<1, nal[1], flags)
		} else {
			p.buf = append(p.buf, nal[0]&0xe0|fuA, flags)
		}
		p.buf = append(p.buf, rest[:n]...)
		p.end()
		rest = rest[n:]
	}
}
