package sound

import "math/bits"

// The two laws of ITU-T G.711. µ-law codes 14 bits and A-law 13; samples here have 16.
const (
	muBias = 33 << 2 // added before the segment is looked for, G.711 table 2a
	muClip = 32635   // the largest that does not overflow with the bias
)

// muTable is what each code of µ-law means.
func muTable() *[256]int16 {
	var t [256]int16
	for i := range t {
		c := ^byte(i)
		v := (int32(c&15)<<3+muBias)<<(c>>4&7) - muBias
		if c&0x80 != 0 {
			v = -v
		}
		t[i] = int16(v)
	}
	return &t
}

func muCode(s int16) byte {
	v, sign := int32(s), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, muClip) + muBias
	segment := bits.Len32(uint32(v)) - 8 // 0 to 7: the bias makes bit 7 the lowest top one
	return ^(sign | byte(segment)<<4 | byte(v>>(segment+3)&15))
}

// aTable is what each code of A-law means.
func aTable() *[256]int16 {
	var t [256]int16
	for i := range t {
		c := byte(i) ^ 0x55 // even bits are sent inverted
		v := int32(c&15)<<4 + 8
		if segment := c >> 4 & 7; segment > 0 {
			v = (v + 256) << (segment - 1)
		}
		if c&0x80 == 0 {
			v = -v
		}
		t[i] = int16(v)
	}
	return &t
}

func aCode(s int16) byte {
	v, sign := int32(s), byte(0x80)
	if v < 0 {
		v, sign = ^v, 0
	}
	segment, mantissa := 0, v>>4
	if v >= 256 {
		segment = bits.Len32(uint32(v)) - 8
		mantissa = v >> (segment + 3)
	}
	return (sign | byte(segment)<<4 | byte(mantissa&15)) ^ 0x55
}
