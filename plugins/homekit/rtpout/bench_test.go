package rtpout

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// BenchmarkPicture is all that one picture of 1080p at 4 Mbit/s and 25 a second costs one
// viewer, from the unit to the socket; nobody reads it.
func BenchmarkPicture(b *testing.B) {
	v, _ := sink(b, "127.0.0.1")
	s := open(b, v, "127.0.0.1")
	s.video.Begin(99, av.ClockVideo, time.Second)
	track, u := bigUnit(20_000)
	u.Key = false
	p := &player{s: s, ctx: b.Context()}
	b.ReportAllocs()
	ts := uint32(0)
	for b.Loop() {
		ts += 3600
		p.burst = 0
		p.send(track, u, ts)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*25/1e7, "%core/viewer")
}

// BenchmarkViewer is a minute's CPU of one viewer of 1080p at 4 Mbit/s with sound, all that
// the hub's end of the media socket does included, beside ffmpeg that copies the same as SRTP
// and one that converts it. Each takes 10 s of real time.
func BenchmarkViewer(b *testing.B) {
	f := makeFilm(b, "1920x1080", "12", "100", "4000")
	track, notes := tone(b, 1000, 24000, 12*time.Second)
	const for10 = 10 * time.Second
	b.Run("ours", func(b *testing.B) {
		const viewers = 4
		var readers []*av.Reader
		for range viewers {
			readers = append(readers, hubEnd(b, f, track, notes))
		}
		v, _ := sink(b, "127.0.0.1")
		for b.Loop() {
			before := cpu(b, syscall.RUSAGE_SELF)
			var sessions []*Session
			for _, r := range readers {
				s := open(b, v, "127.0.0.1")
				if err := s.Start(Start{Video: video(), Audio: audio(), Open: func(context.Context) (Units, error) { return r, nil }}); err != nil {
					b.Fatal(err)
				}
				sessions = append(sessions, s)
			}
			wait(b.Context(), for10)
			b.ReportMetric((cpu(b, syscall.RUSAGE_SELF)-before).Seconds()*6/viewers, "CPU-s/min")
			for _, s := range sessions {
				if st := s.Stats(); st.Pictures < 9*testFPS || st.Audio.Packets < 9*50 {
					b.Fatalf("%+v %v", st, s.Err())
				}
				s.Close("enough")
			}
		}
	})
	file := filepath.Join(b.TempDir(), "film.h264")
	if err := os.WriteFile(file, f.raw, 0o600); err != nil {
		b.Fatal(err)
	}
	for name, codec := range map[string][]string{
		"ffmpeg copy":      {"-c:v", "copy"},
		"ffmpeg transcode": {"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "2500k"},
	} {
		b.Run(name, func(b *testing.B) {
			_, c := sink(b, "127.0.0.1")
			args := append([]string{"-v", "error", "-re", "-framerate", "25", "-i", file, "-t", "10"}, codec...)
			args = append(args, "-f", "rtp", "-payload_type", "99", "-srtp_out_suite", "AES_CM_128_HMAC_SHA1_80",
				"-srtp_out_params", base64.StdEncoding.EncodeToString(make([]byte, 30)),
				fmt.Sprintf("srtp://127.0.0.1:%d?pkt_size=1378", c.LocalAddr().(*net.UDPAddr).Port))
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), "ffmpeg", args...)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v %s", err, out)
				}
				used := cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()
				b.ReportMetric(used.Seconds()*6, "CPU-s/min")
			}
		})
	}
}

func cpu(t testing.TB, who int) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hubEnd is a media socket whose other end plays in real time, from the first unit on that
// somebody reads.
func hubEnd(t testing.TB, f film, track av.Track, notes []*av.Unit) *av.Reader {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		if _, err := av.ReadHello(c); err != nil {
			return
		}
		if av.WriteAnswer(c, av.StatusOK, av.Answer{Direction: av.Read, Rendition: "copy", Tracks: []av.Track{f.track, track}}) != nil {
			return
		}
		w := av.NewFrameWriter(c)
		defer w.Close()
		for _, tr := range []av.Track{f.track, track} {
			if w.Track(tr) != nil {
				return
			}
		}
		r := newReel(0, []av.Track{f.track, track}, f.units, notes)
		for {
			u, err := r.Next(ctx)
			if err != nil {
				return
			}
			w.Unit(u)
			if w.Flush(time.Second) != nil {
				return
			}
		}
	}()
	r, err := av.Open(t.Context(), l.Addr().String(), "token")
	if err != nil {
		t.Fatal(err)
	}
	return r
}
