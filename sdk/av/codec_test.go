package av

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCodecStrings(t *testing.T) {
	sps := unhex(t, "674d400cd901419f9f011000000300100000030320f142a480")
	h264, err := H264Track(1, sps, unhex(t, "68ebc3cb20"))
	if err != nil {
		t.Fatal(err)
	}
	if h264.Width != 320 || h264.Height != 180 || h264.FPS != 25 || h264.Reordered {
		t.Errorf("%+v", h264)
	}
	aac, err := AACTrack(2, []byte{0x12, 0x88})
	if err != nil || aac.SampleRate != 32000 || aac.Channels != 1 || aac.ClockRate != 32000 {
		t.Errorf("%+v %v", aac, err)
	}
	// Main profile, level 3.1, as in ISO 14496-15 E.3: 1 with compatibility 6, constraint B0.
	ptl := append([]byte{0x42, 0x01, 0x01}, 0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93)
	for _, c := range []struct {
		track Track
		want  string
	}{
		{h264, "avc1.4d400c"},
		{aac, "mp4a.40.2"},
		{OpusTrack(3, 2), "opus"},
		{Track{Codec: H265, SPS: ptl}, "hvc1.1.6.L93.B0"},
		{Track{Codec: H264}, ""},
		{PCMTrack(1, PCMU, 8000, 1), ""},
	} {
		if got := c.track.CodecString(); got != c.want {
			t.Errorf("%s: %q, want %q", c.track.Codec, got, c.want)
		}
	}
	if _, err := H264Track(1, []byte{0x67}, nil); err == nil {
		t.Error("a broken SPS was taken")
	}
	if _, err := AACTrack(1, nil); err == nil {
		t.Error("an empty AAC config was taken")
	}
}

func TestAnnexB(t *testing.T) {
	raw := unhex(t, "000000010910"+"0000000167aabb"+"00000168cc"+"00000106dd"+"0000000001650102"+"0000"+"00000165ee")
	p := H264FromAnnexB(raw)
	if !p.Key || !bytes.Equal(p.SPS, unhex(t, "67aabb")) || !bytes.Equal(p.PPS, unhex(t, "68cc")) {
		t.Errorf("%+v", p)
	}
	if want := unhex(t, "0000000206dd"+"00000003650102"+"0000000265ee"); !bytes.Equal(p.Data, want) {
		t.Errorf("data %x, want %x", p.Data, want)
	}
	u := Unit{Data: p.Data}
	if want := unhex(t, "0000000167aabb"+"0000000106dd"+"00000001650102"+"0000000165ee"); !bytes.Equal(u.AnnexB(p.SPS, nil), want) {
		t.Errorf("annex B %x", u.AnnexB(p.SPS, nil))
	}
	broken := Unit{Data: []byte{0xff, 0xff, 0xff, 0xff, 1}}
	broken.NALs(func([]byte) bool { t.Error("a NAL unit out of nothing"); return true })
}

func TestTicks(t *testing.T) {
	for _, d := range []time.Duration{0, time.Second, 40 * time.Millisecond, -time.Hour, 250 * 365 * 24 * time.Hour} {
		if got := Duration(Ticks(d, 90000), 90000); got != d {
			t.Errorf("%v became %v", d, got)
		}
	}
	if Duration(5, 0) != 0 {
		t.Error("a clock that stands")
	}
}
