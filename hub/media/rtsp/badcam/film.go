package badcam

import (
	"encoding/base64"
	"encoding/hex"
	"time"
)

// Pace of a Film.
const (
	PictureTime = 5 * time.Millisecond // between pictures, faster than they claim
	Ticks       = 3600                 // of 90 kHz: 25 pictures a second
)

// Film is a few pictures: for each its NAL units, without parameter sets.
type Film struct {
	SPS, PPS []byte
	Pictures [][][]byte
}

// H264 is a film whose parameter sets are real (main profile, 320x180, no reordering) and
// whose slices are made up: a key frame and three others.
func H264() Film {
	f := Film{SPS: bytesOf("674d400cd901419f9f011000000300100000030320f142a480"), PPS: bytesOf("68ebc3cb20")}
	for i := range 4 {
		head := byte(0x41)
		if i == 0 {
			head = 0x65
		}
		f.Pictures = append(f.Pictures, [][]byte{Slice(head, i, 200)})
	}
	return f
}

// Slice makes up a slice, the first of its picture, of n bytes. No start code is in it.
func Slice(head byte, seed, n int) []byte {
	b := make([]byte, n)
	b[0], b[1] = head, 0x88
	for i := 2; i < n; i++ {
		b[i] = byte(1 + (i*7+seed*31)%250)
	}
	return b
}

// Sprop is sprop-parameter-sets of H264.
func Sprop() string {
	f := H264()
	return base64.StdEncoding.EncodeToString(f.SPS) + "," + base64.StdEncoding.EncodeToString(f.PPS)
}

func bytesOf(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // it stands above
	}
	return b
}
