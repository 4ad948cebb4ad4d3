package sdp

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
)

// fixtures lists descriptions and answers of real devices, which lie beside the repository.
func fixtures(t testing.TB) []string {
	t.Helper()
	root := os.Getenv("PORCHLIGHT_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "fixtures")
	}
	files, err := filepath.Glob(filepath.Join(root, "rtsp", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("NO FIXTURES at %s: set PORCHLIGHT_FIXTURES to their folder", root)
	}
	return files
}

// bodyOf is the description in a file that may be a whole answer.
func bodyOf(b []byte) []byte {
	if i := bytes.Index(b, []byte("v=0")); i >= 0 {
		return b[i:]
	}
	return nil
}

// unreadable are the fixtures in which there is no stream to read, and why.
func unreadable() map[string]error {
	return map[string]error{"sdp-004.sdp": ErrEmpty}
}

// foreign are those that hold nothing that the house carries.
func foreign() map[string]bool {
	return map[string]bool{
		"sdp-026.sdp":  true, // Windows Media
		"sdp-036.sdp":  true, // MPEG-4 part 2
		"sdp-046.sdp":  true, // MPEG-TS
		"sdp-056.sdp":  true, // metadata only
		"sdp-062.sdp":  true, // MPEG-4 part 2
		"desc-005.sdp": true, // WebRTC, encrypted
		"desc-013.sdp": true, // SRTP
	}
}

func TestFixtures(t *testing.T) {
	read := 0
	for _, file := range fixtures(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := bodyOf(b)
		if body == nil {
			continue
		}
		name := filepath.Base(file)
		d, err := Read(body, nil)
		if want := unreadable()[name]; want != nil || err != nil {
			if !errors.Is(err, want) || want == nil {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			continue
		}
		read++
		if carries(d) == foreign()[name] {
			t.Errorf("%s: carried %v: %+v", name, carries(d), d)
		}
	}
	if read < 40 {
		t.Errorf("only %d were read", read)
	}
}

// carries reports whether a description has something to play.
func carries(d *Description) bool {
	for _, m := range d.Medias {
		for _, f := range m.Formats {
			switch f.Format.(type) {
			case *format.H264, *format.H265, *format.MJPEG, *format.MPEG4Audio, *format.MPEG4AudioLATM, *format.Opus, *format.G711, *format.LPCM:
				if !m.Secure && !m.Talk {
					return true
				}
			}
		}
	}
	return false
}

// TestHarmless: a description without fault is read as it is.
func TestHarmless(t *testing.T) {
	d, err := Read([]byte(good), nil)
	if err != nil || len(d.Repairs) != 0 || len(d.Medias) != 2 || d.Control != "*" {
		t.Fatalf("%+v %v", d, err)
	}
	if f := d.Medias[0].Formats[0]; f.Clock != 90000 || f.Type != 96 || d.Medias[0].Control != "trackID=1" {
		t.Errorf("%+v", d.Medias[0])
	}
	if f := d.Medias[1].Formats[0]; f.Clock != 16000 || f.Type != 97 {
		t.Errorf("%+v", d.Medias[1])
	}
}

const good = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=x\r\nt=0 0\r\na=control:*\r\n" +
	"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=1\r\n" +
	"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000\r\na=fmtp:97 streamtype=5; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=1408\r\na=control:trackID=2\r\n"

func TestBounds(t *testing.T) {
	if _, err := Read(make([]byte, 10<<20), nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	many := good + strings.Repeat("m=audio 0 RTP/AVP 0\r\n", 1000)
	d, err := Read([]byte(many), nil)
	if err != nil || len(d.Medias) > maxSections {
		t.Errorf("%d streams, %v", len(d.Medias), err)
	}
	long := strings.Replace(good, "a=control:trackID=1", strings.Repeat("a=rtpmap:96 H264/90000\r\n", 5000)+"a=control:trackID=1", 1)
	if _, err := Read([]byte(long), nil); err != nil {
		t.Error(err)
	}
}

// TestMends: what each repair makes of its break.
func TestMends(t *testing.T) {
	for _, c := range []struct{ name, in, repair, codec string }{
		{"AAC of low bit rate", "m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/8000\na=fmtp:97 mode=AAC-lbr;config=1588", "aac", "MPEG-4 Audio"},
		{"stream type of another kind", "m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/8000\na=fmtp:97 streamtype=4;sizelength=13;config=1588;profile-level-id=x;indexlength=99", "aac", "MPEG-4 Audio"},
		{"HEVC by its other name", "m=video 0 RTP/AVP 97\na=rtpmap:97 HEVC/90000", "clock", "H265"},
		{"JPEG by a number of its own", "m=video 0 RTP/AVP 98\na=rtpmap:98 JPEG/90000", "static_type", "M-JPEG"},
		{"pictures called application", "m=application 0 RTP/AVP 96\na=rtpmap:96 H264/90000", "", "H264"},
		{"sets in the wrong order", "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=aOvDyyA=,Z01ADNkBQZ+fARAAAAMAEAAAAwMg8UKkgA==", "sprop", "H264"},
		{"LATM within the stream", "m=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000/1\na=fmtp:97 cpresent=1;config=400028103fc0;profile-level-id=z", "latm", "MPEG-4 Audio LATM"},
		{"a packetization mode that is none", "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=one", "sprop", "H264"},
		{"NUL and lone CR", "m=video 0 RTP/AVP 96\x00\ra=rtpmap:96 H264/90000\x00\r", "", "H264"},
	} {
		d, err := Read([]byte("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=x\nt=0 0\n"+c.in+"\na=control:x\n"), nil)
		if err != nil || len(d.Medias) != 1 || d.Medias[0].Formats[0].Name != c.codec {
			t.Errorf("%s: %+v %v", c.name, d, err)
			continue
		}
		if got := strings.Join(d.Repairs, ","); got != c.repair {
			t.Errorf("%s: repairs %q, want %q", c.name, got, c.repair)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	if root := os.Getenv("PORCHLIGHT_FIXTURES"); root != "" {
		for _, file := range fixtures(f) {
			if b, err := os.ReadFile(file); err == nil && bodyOf(b) != nil {
				f.Add(bodyOf(b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Read(b, nil)
		if err == nil && d == nil {
			t.Fatal("neither a description nor a reason")
		}
		if d == nil {
			return
		}
		if len(d.Medias) > maxSections {
			t.Fatalf("%d streams", len(d.Medias))
		}
		for _, m := range d.Medias {
			if len(m.Formats) == 0 {
				t.Fatal("a stream without a format")
			}
		}
	})
}
