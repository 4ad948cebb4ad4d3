package offer

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// sdpOf is an offer of a browser that takes the given video formats, by payload type.
func sdpOf(audio string, video ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")
	if len(video) > 0 {
		b.WriteString("m=video 9 UDP/TLS/RTP/SAVPF")
		for i := range video {
			fmt.Fprintf(&b, " %d", 96+i)
		}
		b.WriteString("\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n")
		for i, v := range video {
			name, fmtp, _ := strings.Cut(v, " ")
			fmt.Fprintf(&b, "a=rtpmap:%d %s/90000\r\n", 96+i, name)
			if fmtp != "" {
				fmt.Fprintf(&b, "a=fmtp:%d %s\r\n", 96+i, fmtp)
			}
		}
	}
	if audio != "" {
		b.WriteString("m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=" + audio + "\r\na=rtpmap:111 opus/48000/2\r\n")
	}
	return b.String()
}

const (
	cb   = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	base = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"
	main = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"
	high = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"
	p444 = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f"
	one  = "H264 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=64001f"
)

func h264With(profile byte) av.Track {
	return av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, SPS: []byte{0x67, profile, 0, 31}}
}

func TestChoose(t *testing.T) {
	aac := av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 16000, SampleRate: 16000, Channels: 1}
	h265 := av.Track{ID: 1, Kind: av.Video, Codec: av.H265, ClockRate: 90000}
	for _, c := range []struct {
		name   string
		tracks []av.Track
		offer  string
		talk   bool
		want   string
	}{
		{"baseline takes the constrained one", []av.Track{h264With(66)}, sdpOf("", base, cb, main, high), false, "97 h264/baseline"},
		{"main", []av.Track{h264With(77)}, sdpOf("", base, cb, high, main), false, "99 h264/main"},
		{"main in high", []av.Track{h264With(77)}, sdpOf("", base, cb, high), false, "98 h264/high"},
		{"high", []av.Track{h264With(100)}, sdpOf("", main, p444, high, one), false, "98 h264/high"},
		{"high in more", []av.Track{h264With(100)}, sdpOf("", cb, main, p444), false, "98 h264/high"},
		{"high has to be made less", []av.Track{h264With(100)}, sdpOf("", base, cb), false, "96 h264/baseline"},
		{"h265 as it is", []av.Track{h265}, sdpOf("", cb, "H265"), false, "97 h265/"},
		{"h265 made", []av.Track{h265}, sdpOf("", "VP8", cb, high), false, "98 h264/high"},
		{"mjpeg made", []av.Track{av.MJPEGTrack(1, 640, 480, 5)}, sdpOf("", cb), false, "96 h264/baseline"},
		{"no h264", []av.Track{h264With(66)}, sdpOf("", "VP8", one), false, "error"},
		{"pcmu as it is", []av.Track{h264With(66), av.PCMTrack(2, av.PCMU, 8000, 1)}, sdpOf("recvonly", cb), true, "96 h264/baseline pcmu"},
		{"pcma as it is", []av.Track{h264With(66), av.PCMTrack(2, av.PCMA, 8000, 1)}, sdpOf("recvonly", cb), true, "96 h264/baseline pcma"},
		{"wide pcmu made", []av.Track{h264With(66), av.PCMTrack(2, av.PCMU, 16000, 1)}, sdpOf("recvonly", cb), true, "96 h264/baseline opus"},
		{"aac made", []av.Track{h264With(66), aac}, sdpOf("sendrecv", cb), true, "96 h264/baseline opus talk 2"},
		{"who may not talk", []av.Track{h264With(66), aac}, sdpOf("sendrecv", cb), false, "96 h264/baseline opus"},
		{"talk alone", []av.Track{h264With(66)}, sdpOf("sendrecv", cb), true, "96 h264/baseline talk 2"},
		{"sound alone", []av.Track{aac}, sdpOf("recvonly", cb), true, "opus"},
		{"nothing", []av.Track{aac}, sdpOf("", cb), true, "error"},
	} {
		o, err := Read(c.offer)
		if err != nil {
			t.Fatal(c.name, err)
		}
		got := "error"
		if ch, err := Choose(c.tracks, o, c.talk); err == nil {
			got = ""
			if ch.Video != nil {
				got = fmt.Sprintf("%d %s/%s", ch.Video.PayloadType, ch.Want.Video.Codec, ch.Want.Video.Profile)
				if !ch.Want.Video.InOrder {
					t.Errorf("%s: B-frames", c.name)
				}
			}
			if ch.Audio != nil {
				got += " " + string(ch.Want.Audio.Codec)
			} else if !ch.Want.Audio.None {
				t.Errorf("%s: sound that nobody takes", c.name)
			}
			if len(ch.Speech) > 0 {
				got += fmt.Sprint(" talk ", len(ch.Speech))
			}
			got = strings.TrimSpace(got)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzOffer: no offer makes more than an error.
func FuzzOffer(f *testing.F) {
	f.Add(sdpOf("sendrecv", base, main, high, "H265"), true)
	f.Add(sdpOf("recvonly"), false)
	f.Add("v=0\r\n", false)
	sps, _ := hex.DecodeString("674d400cd901419f9f011000000300100000030320f142a480")
	tracks := []av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, SPS: sps}, av.PCMTrack(2, av.PCMU, 8000, 1)}
	f.Fuzz(func(t *testing.T, text string, talk bool) {
		if len(text) > 64<<10 {
			return
		}
		o, err := Read(text)
		if err != nil {
			return
		}
		c, err := Choose(tracks, o, talk)
		if err == nil && c.Video == nil && c.Audio == nil {
			t.Error("nothing was chosen")
		}
	})
}

// FuzzFrag: what is taken from a fragment can be put into an offer.
func FuzzFrag(f *testing.F) {
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n")
	f.Add("a=ice-ufrag:\r\na=ice-pwd")
	text := sdpOf("sendrecv", base)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 64<<10 {
			return
		}
		fr, err := ReadFrag(body)
		if err != nil {
			return
		}
		fresh := WithCredentials(strings.Replace(text, "a=mid:0\r\n", "a=mid:0\r\na=ice-ufrag:x\r\na=ice-pwd:y\r\n", 1), fr)
		if u, p := Credentials(fresh); u != fr.Ufrag || p != fr.Pwd {
			t.Errorf("%q %q became %q %q", fr.Ufrag, fr.Pwd, u, p)
		}
		if _, err := Read(fresh); err != nil {
			t.Error(err)
		}
		_ = FragOf(fresh)
	})
}

// TestCandidatesElsewhere: a page cannot point the hub at everybody, or at itself.
func TestCandidatesElsewhere(t *testing.T) {
	for address, want := range map[string]bool{
		"192.0.2.7": true, "2001:db8::7": true, "fe80::7": true, "0b8f1bd3.local": false, "224.0.0.251": false, "ff02::fb": false,
		"255.255.255.255": false, "0.0.0.0": false, "::": false, "127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "x": false,
	} {
		if got := Takes("candidate:1 1 udp 1 "+address+" 5000 typ host", false); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if !Takes("candidate:1 1 udp 1 127.0.0.1 5000 typ host", true) || Takes("candidate:", true) {
		t.Error("on this machine")
	}
	text := "v=0\r\nm=video\r\n" + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.7 5000 typ host\r\na=candidate:1 1 udp 1 127.0.0.1 5000 typ host\r\n", 1000) + "a=recvonly\r\n"
	rest, n := Candidates(text, false)
	if n != MaxCandidates || strings.Count(rest, "a=candidate") != n || !strings.HasPrefix(rest, "v=0\r\nm=video\r\n") || !strings.HasSuffix(rest, "a=recvonly\r\n") {
		t.Errorf("%d kept: %s", n, rest)
	}
}
