package tlv

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 254, 255, 256, 509, 510, 511, 1024} {
		long := bytes.Repeat([]byte{7}, n)
		in := Items{U8(6, 1), Raw(3, long), U16(9, 0x1234), U32(10, 5), Of(4, Text(1, "a"), F32(2, 0.5))}
		out, err := Parse(in.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Get(3), long) || out.Uint(6) != 1 || out.Uint(9) != 0x1234 || string(out.In(4).Get(1)) != "a" {
			t.Errorf("%d bytes: %v", n, out)
		}
	}
}

func TestParse(t *testing.T) {
	for _, b := range [][]byte{{1}, {1, 2, 3}, {1, 255}} {
		if got, err := Parse(b); err == nil {
			t.Errorf("%v is taken for %v", b, got)
		}
	}
	list, err := Parse([]byte{1, 1, 5, 0, 0, 1, 1, 6})
	if err != nil || len(list.All(1)) != 2 || !list.Has(0) {
		t.Errorf("%v %v", list, err)
	}
}
