package wire

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmjpeg"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// A picture that was cut is put together again by another program's reader.
func TestJPEG(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(i * i >> 7)
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	p, ok := New(av.MJPEGTrack(1, 320, 240, 5), 0, 7)
	if !ok {
		t.Fatal("MJPEG is not carried")
	}
	out, n := p.Append(nil, &av.Unit{Track: 1, Data: b.Bytes()}, 0)
	if n < 2 {
		t.Fatalf("%d packets of %d bytes", n, b.Len())
	}
	var d rtpmjpeg.Decoder
	if err := d.Init(); err != nil {
		t.Fatal(err)
	}
	var whole []byte
	if err := Packets(out, func(_ byte, b []byte) error {
		var packet rtp.Packet
		if err := packet.Unmarshal(b); err != nil {
			return err
		}
		got, err := d.Decode(&packet)
		if err == nil {
			whole = got
		} else if packet.Marker {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := stdjpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	want, err := stdjpeg.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]int{{0, 0}, {100, 50}, {319, 239}} {
		if a, b := color.GrayModel.Convert(got.At(at[0], at[1])), color.GrayModel.Convert(want.At(at[0], at[1])); a != b {
			t.Errorf("at %v: %v, want %v", at, a, b)
		}
	}
}

// Reports say what RFC 3550 6.4.1 has at their places.
func TestReport(t *testing.T) {
	p, _ := New(av.OpusTrack(2, 1), 1, 0x01020304)
	got := p.Report(nil, 1<<32|2, 3, 4, 5)
	want := []byte{'$', 3, 0, 28, 0x80, 200, 0, 6, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5}
	if !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
}
