package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/porchlight-hub/porchlight/plugins/speaker/decode"
)

// The plugin sends its sink orders: u8 op, u32 id, u32 length (little endian), then
// samples as 32 bit floats. The sink answers with lines:
//
//	ready      the device is open
//	first ID   the first sample of a sound was handed to it
//	done ID    and the last one
//	error TEXT it cannot go on, and ends
const (
	opPlay = 1
	opStop = 2

	orderHeader    = 9
	bytesPerSample = 4
	// maxOrder: the longest clip, three times, and what lies between.
	maxOrder = 4 * 30 * decode.Rate * decode.Channels * bytesPerSample
)

type order struct {
	op  byte
	id  uint32
	pcm []byte
}

func (o order) write(w io.Writer) error {
	h := append([]byte{o.op}, binary.LittleEndian.AppendUint32(nil, o.id)...)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(o.pcm)))
	if _, err := w.Write(h); err != nil {
		return err
	}
	_, err := w.Write(o.pcm)
	return err
}

func readOrder(r io.Reader) (order, error) {
	var h [orderHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return order{}, err
	}
	n := binary.LittleEndian.Uint32(h[5:])
	if n > maxOrder {
		return order{}, fmt.Errorf("order of %d bytes, at most %d", n, maxOrder)
	}
	o := order{op: h[0], id: binary.LittleEndian.Uint32(h[1:]), pcm: make([]byte, n)}
	_, err := io.ReadFull(r, o.pcm)
	return o, err
}

// samples makes the order's bytes of a clip: so loud, so many times more, with a pause between.
func samples(c decode.Clip, gain float64, repeat int) []byte {
	pause := decode.Rate / 4 * decode.Channels
	out := make([]byte, 0, ((len(c)+pause)*(repeat+1))*bytesPerSample)
	for i := range repeat + 1 {
		if i > 0 {
			out = append(out, make([]byte, pause*bytesPerSample)...)
		}
		for _, v := range c {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(float64(v)*gain)))
		}
	}
	return out
}
