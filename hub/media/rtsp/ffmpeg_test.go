package rtsp

import (
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// relay is a server of another hand that gives on what ffmpeg publishes to it.
type relay struct {
	server *gortsplib.Server
	mu     sync.Mutex
	stream *gortsplib.ServerStream
	ready  chan struct{} // closed when it is published
}

func (r *relay) published() *gortsplib.ServerStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream
}

func (r *relay) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	s := &gortsplib.ServerStream{Server: r.server, Desc: ctx.Description}
	if err := s.Initialize(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream = s
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (r *relay) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, r.published(), nil
}

func (r *relay) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, r.published(), nil
}

func (r *relay) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (r *relay) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		_ = r.published().WritePacketRTP(m, p)
	})
	close(r.ready)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// publish has ffmpeg publish to a relay and returns the address to pull.
func publish(t *testing.T, codec ...string) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("NO FFMPEG: apt install ffmpeg")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	r := &relay{ready: make(chan struct{})}
	r.server = &gortsplib.Server{Handler: r, RTSPAddress: addr}
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.server.Close)
	args := append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
		"-f", "lavfi", "-i", "sine=frequency=440", "-t", "60", "-pix_fmt", "yuv420p"}, codec...)
	url := "rtsp://" + addr + "/live"
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(args, "-f", "rtsp", "-rtsp_transport", "tcp", url)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	select {
	case <-r.ready:
	case <-t.Context().Done():
	case <-time.After(30 * time.Second):
		t.Fatal("ffmpeg does not publish")
	}
	return url
}

// TestFFmpeg pulls what another program encodes, pictures out of order among it.
func TestFFmpeg(t *testing.T) {
	for _, c := range []struct {
		name, sound string
		args        []string
		video       av.Codec
		disorder    bool
	}{
		{"h264 with B-frames and aac", "aac", []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2", "-b_strategy", "0", "-c:a", "aac"}, av.H264, true},
		{"h265 with B-frames and opus", "opus", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25:bframes=2:b-adapt=0", "-c:a", "libopus"}, av.H265, true},
		{"mjpeg and pcmu", "pcmu", []string{"-c:v", "mjpeg", "-huffman", "default", "-force_duplicated_matrix", "1", "-pix_fmt", "yuvj420p", "-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1"}, av.MJPEG, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := publish(t, c.args...)
			s := &screen{until: func(s *screen) bool { return len(s.units) >= 60 && s.others > 5 }}
			if err := s.watch(within(t, 60*time.Second), Target{URL: url}, Options{}); err != nil {
				t.Fatal(err)
			}
			if s.tracks[0].Codec != c.video || string(s.tracks[1].Codec) != c.sound || s.tracks[0].Width != 320 {
				t.Errorf("%+v", s.tracks)
			}
			ahead := 0
			begun := false // what was under way before the first key frame cannot be put in order
			for i, u := range s.units {
				if begun = begun || u.Key; !begun || i == 0 {
					continue
				}
				if u.DTS > u.PTS || u.DTS <= s.units[i-1].DTS {
					t.Errorf("unit %d: shown %d, decoded %d after %d", i, u.PTS, u.DTS, s.units[i-1].DTS)
				}
				if u.PTS != u.DTS {
					ahead++
				}
			}
			if (ahead > 10) != c.disorder {
				t.Errorf("%d of %d units are shown later than decoded", ahead, len(s.units))
			}
		})
	}
}
