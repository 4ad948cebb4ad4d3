package talk

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// FuzzPut says whatever bytes, with whatever time stamps, in whatever form.
func FuzzPut(f *testing.F) {
	f.Add("opus", "pcmu", uint32(48000), 48000, 2, []byte{31 << 3, 1, 2, 3})
	f.Add("opus", "opus", uint32(48000), 48000, 1, []byte{9 << 3, 1, 2, 3, 9<<3 | 3, 48, 2})
	f.Add("l16", "pcma", uint32(16000), 16000, 1, make([]byte, 640))
	f.Add("pcmu", "l16", uint32(8000), 0, 0, []byte("hello at the door"))
	f.Add("aac", "pcmu", uint32(0), -1, 300, []byte{0xff})
	f.Fuzz(func(t *testing.T, from, to string, clock uint32, rate, channels int, data []byte) {
		now := time.Unix(1e9, 0)
		d := &door{core: media.New(media.Limits{}), tracks: []av.Track{{ID: 1, Kind: av.Sound, Codec: av.Codec(to), ClockRate: 8000, SampleRate: 8000, Channels: 1}}}
		x := New(Options{Core: d.core, Sink: func(string) (Sink, error) { return d, nil }, Now: func() time.Time { return now }})
		defer x.Close()
		s, err := x.Open(context.Background(), "door", Talker{}, av.Track{ID: 1, Kind: av.Sound, Codec: av.Codec(from), ClockRate: clock, SampleRate: rate, Channels: channels})
		if err != nil {
			return
		}
		for i := range 4 {
			u := &av.Unit{Track: 1, Data: data, Discontinuity: i == 2}
			if len(data) >= 8 {
				u.PTS = int64(binary.LittleEndian.Uint64(data)) * int64(i)
			}
			if s.Put(u) != nil {
				break
			}
		}
		// The clock stands: the door has what it may be late by, a filled hole and one unit more.
		if h := s.Heard(); h > tooEarly+4*time.Second {
			t.Errorf("%v of speech in no time", h)
		}
	})
}
