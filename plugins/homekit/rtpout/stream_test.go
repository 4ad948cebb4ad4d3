package rtpout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func open(t testing.TB, v *viewer, ip string) *Session {
	t.Helper()
	a := netip.MustParseAddr(ip)
	s, err := Open(Wish{Local: a, Peer: a, VideoPort: v.video.port(), AudioPort: v.audio.port(), Video: testKeys(1), Audio: testKeys(2)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close("test") })
	return s
}

func video() VideoParams { return VideoParams{PT: 99, SSRC: 1001, Kbps: 2000, MTU: 1378} }

func audio() *AudioParams {
	return &AudioParams{PT: 110, SSRC: 1002, Kbps: 24, Rate: 24000, Packet: 20 * time.Millisecond, ComfortPT: 13}
}

// probe is what ffprobe finds in H.264.
type probe struct {
	Frames []struct {
		Type string `json:"pict_type"`
		Key  int    `json:"key_frame"`
	} `json:"frames"`
}

func ffprobe(t testing.TB, h264 []byte) probe {
	t.Helper()
	bin, err := exec.LookPath("ffprobe")
	if err != nil {
		t.Skip("no ffprobe")
	}
	cmd := exec.CommandContext(t.Context(), bin, "-v", "error", "-f", "h264", "-show_frames", "-show_entries", "frame=pict_type,key_frame", "-of", "json", "-")
	cmd.Stdin = bytes.NewReader(h264)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("ffprobe: %v %s", err, complaints.String())
	}
	var p probe
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPictureAndSound: what a viewer decodes is each picture since the newest key frame, an
// IDR with its parameter sets first, and the tone; on both versions of IP.
func TestPictureAndSound(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			f := makeFilm(t, "640x360", "4", "100", "1500")
			track, notes := tone(t, 1000, 24000, 4*time.Second)
			v := newViewer(t, ip)
			s := open(t, v, ip)
			src := newReel(2*time.Second, []av.Track{f.track, track}, f.units, notes)
			began := time.Now()
			if err := s.Start(Start{Video: video(), Audio: audio(), Open: func(context.Context) (Units, error) { return src.from(), nil }}); err != nil {
				t.Fatal(err)
			}
			marks := 0
			seen := 0
			v.video.until(t, "every picture", func(e *ear) bool {
				for ; seen < len(e.packets); seen++ {
					if e.packets[seen].marker {
						marks++
					}
				}
				return marks == len(f.units)
			})
			v.audio.until(t, "sound", func(e *ear) bool { return len(e.packets) >= 90 })
			pics := pictures(t, v.video.all())
			sizes(t, ip, v.video.all())
			sizes(t, ip, v.audio.all())
			if n := len(pics[0].nals); n < 3 || pics[0].nals[0][0]&0x1f != 7 || pics[0].nals[1][0]&0x1f != 8 {
				t.Error("the first picture does not begin with parameter sets")
			}
			p := ffprobe(t, annexB(pics))
			if len(p.Frames) != len(f.units) || p.Frames[0].Key != 1 || p.Frames[0].Type != "I" {
				t.Errorf("%d pictures decoded of %d, the first is %+v", len(p.Frames), len(f.units), p.Frames[0])
			}
			for i := 1; i < len(pics); i++ {
				if int32(pics[i].ts-pics[i-1].ts) <= 0 {
					t.Errorf("picture %d has time %d after %d", i, pics[i].ts, pics[i-1].ts)
				}
			}
			t.Logf("first picture whole after %v, the past of 2 s after %v", pics[0].last.Sub(began), pics[49].last.Sub(began))
			hears(t, v.audio.all(), 1000, 24000)
			st := s.Stats()
			if st.Rendition != "copy" || st.Pictures != uint64(len(f.units)) || st.Video.Packets != uint64(len(v.video.all())+len(v.video.reports)) || st.FirstPicture <= 0 {
				t.Errorf("%+v", st)
			}
			s.Close("enough")
			if !errors.Is(s.Err(), ErrClosed) {
				t.Error(s.Err())
			}
			v.video.until(t, "goodbye", func(e *ear) bool { return e.bye })
			v.audio.until(t, "goodbye of the sound", func(e *ear) bool { return e.bye })
			if v.video.bad+v.audio.bad > 0 {
				t.Error("some of it does not decrypt")
			}
			inStep(t, v, src)
		})
	}
}

func sizes(t *testing.T, ip string, packets []got) {
	t.Helper()
	most := 1378
	if ip == "::1" {
		most = 1228
	}
	for _, p := range packets {
		if p.size > most {
			t.Errorf("a datagram of %d bytes", p.size)
		}
	}
}

// hears checks that the sound is the tone, and that its times go on by what each packet lasts.
func hears(t *testing.T, packets []got, hz float64, rate int) {
	t.Helper()
	dec, err := sound.NewDecoder(av.OpusTrack(1, 1), rate)
	if err != nil {
		t.Fatal(err)
	}
	var pcm []int16
	for i, p := range packets {
		got, err := dec.Decode(p.payload)
		if err != nil {
			t.Fatal(i, err)
		}
		pcm = append(pcm, got...)
		if i > 0 {
			last := packets[i-1]
			if want := uint32(int64(sound.OpusLength(last.payload)) * int64(rate) / int64(time.Second)); p.ts-last.ts != want || p.seq != last.seq+1 {
				t.Errorf("packet %d is %d later, not %d", i, p.ts-last.ts, want)
			}
		}
		if p.pt != 110 || p.marker != (i == 0) {
			t.Errorf("packet %d: type %d, marker %v", i, p.pt, p.marker)
		}
	}
	pcm = pcm[dec.Rate()/10:] // after the decoder has begun
	at, all := strength(pcm, dec.Rate(), hz)
	// The sine of the source has half the full scale: a mean square of 1/8.
	if at < 0.125/2 || at > 0.125*2 || at < 0.9*all {
		t.Errorf("the tone has %.4f of %.4f, and 0.125 was sent", at, all)
	}
}

// inStep: by any two of their reports, picture and sound of one moment are of one moment, and
// that is when they were captured.
func inStep(t *testing.T, v *viewer, src *reel) {
	t.Helper()
	if len(v.video.reports) < 2 || len(v.audio.reports) < 1 {
		t.Fatalf("%d and %d reports", len(v.video.reports), len(v.audio.reports))
	}
	when := func(r sr, ts uint32, clock float64) float64 {
		ntp := float64(r.ntp>>32) + float64(uint32(r.ntp))/(1<<32)
		return ntp + float64(int32(ts-r.rtp))/clock
	}
	captured := func(pos time.Duration) float64 {
		return float64(src.zero.Add(pos).UnixNano())/1e9 + 2208988800
	}
	// The last picture that was sent, and the last sound, which goes as it comes.
	picture := v.video.packets[len(v.video.packets)-1]
	var at float64
	for _, u := range src.units {
		if u.Track == 1 {
			at = captured(src.pos(u))
		}
	}
	for _, r := range v.video.reports {
		if d := when(r, picture.ts, 90000) - at; d > 0.01 || d < -0.01 {
			t.Errorf("by a report, the last picture is %.3f s off", d)
		}
	}
	note := v.audio.packets[len(v.audio.packets)-1]
	for _, u := range src.units {
		if u.Track == 2 && bytes.Equal(u.Data, note.payload) {
			at = captured(src.pos(u))
		}
	}
	for _, r := range v.audio.reports {
		if d := when(r, note.ts, 24000) - at; d > 0.01 || d < -0.01 {
			t.Errorf("by a report, the last sound is %.3f s off", d)
		}
	}
	if r := v.video.reports[len(v.video.reports)-1]; r.packets == 0 || r.octets == 0 || r.ssrc == 0 {
		t.Errorf("%+v", r)
	}
}
