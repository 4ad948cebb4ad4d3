package sound

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func ffmpeg(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg")
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-v", "error", "-nostdin"}, args...)...)
	var out, say bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &say
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, say.String())
	}
	return out.Bytes()
}

func bytesOf(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

func samplesOf(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

// ramp is every sample of 16 bits.
func ramp() []int16 {
	out := make([]int16, 1<<16)
	for i := range out {
		out[i] = int16(i)
	}
	return out
}

func TestG711IsWhatOthersMake(t *testing.T) {
	for name, law := range map[string]struct {
		code  func(int16) byte
		table *[256]int16
	}{"mulaw": {muCode, muTable()}, "alaw": {aCode, aTable()}} {
		codes := make([]byte, 256)
		for i := range codes {
			codes[i] = byte(i)
		}
		theirs := samplesOf(ffmpeg(t, codes, "-f", name, "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16le", "-"))
		for i, v := range theirs {
			if law.table[i] != v {
				t.Errorf("%s: code %#x is %d, others say %d", name, i, law.table[i], v)
			}
		}
		// Between two levels either may be taken: no more than the nearest's error apart.
		made := ffmpeg(t, bytesOf(ramp()), "-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "-", "-f", name, "-")
		for i, s := range ramp() {
			ours, other := int(law.table[law.code(s)]), int(law.table[made[i]])
			if d, limit := ours-other, max(int(s), -int(s))/16+16; d > limit || -d > limit {
				t.Errorf("%s: %d became %d, others make %d", name, s, ours, other)
			}
		}
	}
}

// oggPackets are the packets of an Ogg of one stream (RFC 3533 6), without the two heads of Opus.
func oggPackets(t *testing.T, b []byte) (out [][]byte) {
	t.Helper()
	var packet []byte
	for len(b) >= 27 {
		n := int(b[26])
		lacing := b[27 : 27+n]
		b = b[27+n:]
		for _, l := range lacing {
			packet = append(packet, b[:l]...)
			b = b[l:]
			if l < 255 {
				out = append(out, packet)
				packet = nil
			}
		}
	}
	if len(out) < 3 {
		t.Fatal("no packets")
	}
	return out[2:]
}

// What the codec of everybody makes, of speech and of music, in all its ways and with one
// and two channels, is heard here as it was said.
func TestOpusOfOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"speech, narrow", []string{"-application", "voip", "-b:a", "10k", "-ac", "1"}},
		{"speech, wide", []string{"-application", "voip", "-b:a", "16k", "-ac", "1"}},
		{"speech of a browser", []string{"-application", "voip", "-b:a", "32k", "-ac", "1"}},
		{"speech, two channels", []string{"-application", "voip", "-b:a", "24k", "-af", "pan=stereo|c0=c0|c1=c0"}},
		{"speech in pieces of 60 ms", []string{"-application", "voip", "-b:a", "16k", "-ac", "1", "-frame_duration", "60"}},
		{"music", []string{"-application", "audio", "-b:a", "96k", "-af", "pan=stereo|c0=c0|c1=c0"}},
		{"low delay", []string{"-application", "lowdelay", "-b:a", "64k", "-ac", "1", "-frame_duration", "10"}},
	} {
		for _, to := range []av.AudioRendition{{Codec: av.PCMU}, {Codec: av.L16, SampleRate: 16000}, {Codec: av.L16, SampleRate: 48000}} {
			ogg := ffmpeg(t, nil, append(append([]string{"-f", "lavfi", "-i", "sine=1000:r=48000:d=2"}, c.args...), "-c:a", "libopus", "-f", "opus", "-")...)
			tr, err := New(av.OpusTrack(2, 2), to)
			if err != nil {
				t.Fatal(err)
			}
			var made []*av.Unit
			pts := int64(0)
			for _, p := range oggPackets(t, ogg) {
				out, err := tr.Convert(&av.Unit{Track: 2, PTS: pts, DTS: pts, Data: p})
				if err != nil {
					t.Fatalf("%s: packet %#x: %v", c.name, p[0], err)
				}
				made = append(made, out...)
				pts = av.Ticks(av.Duration(tr.came, uint32(tr.dec.Rate())), opusClock)
			}
			follows(t, tr.Track(), made)
			pcm, rate := decodeAll(t, tr.Track(), made)
			at, all := power(pcm[rate/2:rate*3/2], rate, 1000)
			// 1/8 of full level is what ffmpeg's sine has.
			if at < 0.006 || at > 0.010 || at < 0.97*all {
				t.Errorf("%s to %s %d: %.4f of 0.0078, and %.1f%% something else", c.name, to.Codec, to.SampleRate, at, 100*(1-at/all))
			}
		}
	}
}

// What is made here is heard by others.
func TestOpusForOthers(t *testing.T) {
	for _, rate := range []int{8000, 16000, 24000, 48000} {
		track, units := source(t, av.AudioRendition{Codec: av.Opus, SampleRate: rate}, tone(1000, rate, 2*rate, 0.5), rate)
		pcm := samplesOf(ffmpeg(t, ogg(track, units), "-i", "-", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"))
		if d := time.Duration(len(pcm)) * time.Second / 48000; d < 1990*time.Millisecond || d > 2010*time.Millisecond {
			t.Errorf("%d Hz: %v of 2 s", rate, d)
			continue
		}
		if at, all := power(pcm[24000:72000], 48000, 1000); at < 0.11 || at > 0.14 || at < 0.97*all {
			t.Errorf("%d Hz: %.4f of 0.125, and %.1f%% something else", rate, at, 100*(1-at/all))
		}
	}
}

// ogg puts each packet of Opus into a page of its own (RFC 3533, RFC 7845).
func ogg(track av.Track, units []*av.Unit) (out []byte) {
	page := func(n int, kind byte, granule int64, packet []byte) {
		at := len(out)
		out = append(out, "OggS\x00"...)
		out = append(out, kind)
		out = binary.LittleEndian.AppendUint64(out, uint64(granule))
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
		out = append(out, 0, 0, 0, 0, byte(len(packet)/255+1))
		for l := len(packet); ; l -= 255 {
			out = append(out, byte(min(l, 255)))
			if l < 255 {
				break
			}
		}
		out = append(out, packet...)
		var sum uint32 // CRC-32 of polynomial 0x04c11db7, not reflected
		for _, b := range out[at:] {
			sum ^= uint32(b) << 24
			for range 8 {
				top := sum >> 31
				sum <<= 1
				if top == 1 {
					sum ^= 0x04c11db7
				}
			}
		}
		binary.LittleEndian.PutUint32(out[at+22:], sum)
	}
	page(0, 2, 0, track.AudioConfig)
	page(1, 0, 0, []byte("OpusTags\x04\x00\x00\x00test\x00\x00\x00\x00"))
	for i, u := range units {
		page(i+2, 0, int64(i+1)*960, u.Data)
	}
	return out
}
