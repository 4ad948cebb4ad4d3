package hubtest

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// Film is an RTSP server that shows what ffmpeg sends to it, as small recorders and
// phones used as cameras do. When ffmpeg ends, its stream ends for everybody.
type Film struct {
	tb     testing.TB
	server *gortsplib.Server
	args   []string
	errs   bytes.Buffer
	cmd    *exec.Cmd

	mu        sync.Mutex
	stream    *gortsplib.ServerStream // nil: nothing is shown
	publisher *gortsplib.ServerSession
}

// StartFilm runs ffmpeg with the arguments for its input and codecs until the test ends.
// Without ffmpeg it skips the test loudly.
func StartFilm(tb testing.TB, args ...string) *Film {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skipf("SKIPPED: %v; apt-get install ffmpeg", err)
	}
	f := &Film{tb: tb, args: args}
	f.server = &gortsplib.Server{Handler: f, RTSPAddress: "127.0.0.1:0"}
	if err := f.server.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		f.Kill()
		f.server.Close()
	})
	f.Again()
	return f
}

// URL of the film.
func (f *Film) URL() string { return "rtsp://" + f.server.NetListener().Addr().String() + "/film" }

// Again starts ffmpeg and waits until the film runs.
func (f *Film) Again() {
	f.tb.Helper()
	f.cmd = exec.Command("ffmpeg", append(append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-re"}, f.args...), "-f", "rtsp", "-rtsp_transport", "tcp", f.URL())...)
	f.errs.Reset()
	f.cmd.Stderr = &f.errs
	if err := f.cmd.Start(); err != nil {
		f.tb.Fatal(err)
	}
	Eventually(f.tb, "the film runs", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.stream != nil
	})
}

// Kill ends ffmpeg with SIGKILL, and with it the film.
func (f *Film) Kill() {
	if f.cmd == nil {
		return
	}
	_ = f.cmd.Process.Kill() // it may be gone already
	_ = f.cmd.Wait()         // killed
	f.cmd = nil
	if f.tb.Failed() {
		f.tb.Logf("ffmpeg wrote: %s", f.errs.String())
	}
}

// OnSessionClose takes the film away when who sends it has gone.
func (f *Film) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Session == f.publisher && f.stream != nil {
		f.stream.Close()
		f.stream = nil
	}
}

func (f *Film) shown() (*base.Response, *gortsplib.ServerStream, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, f.stream, nil
}

// OnDescribe tells watchers what runs.
func (f *Film) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return f.shown()
}

// OnAnnounce takes the description of ffmpeg.
func (f *Film) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	s := &gortsplib.ServerStream{Server: f.server, Desc: ctx.Description}
	if err := s.Initialize(); err != nil {
		return &base.Response{StatusCode: base.StatusBadRequest}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stream, f.publisher = s, ctx.Session
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSetup is asked by both sides.
func (f *Film) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	return f.shown()
}

// OnPlay lets watchers begin.
func (f *Film) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRecord passes each packet on.
func (f *Film) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	f.mu.Lock()
	s := f.stream
	f.mu.Unlock()
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		_ = s.WritePacketRTP(m, p) // a stream that was just closed
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}
