package hubtest_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestDoctorWithoutHub: no hub runs, and the doctor looks at the cameras by himself:
// what he says of a camera that is set badly is what its owner must set otherwise.
func TestDoctorWithoutHub(t *testing.T) {
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: hardPassword, Streams: map[string]hubtest.CameraStream{
		"/main": {Sound: "pcma", Width: 640, Height: 360, FPS: 5, Key: 7, Kbps: 300},
		"/sub":  {Video: "h265", Width: 320, Height: 180, FPS: 10, Key: 1, Kbps: 100},
	}})
	tap := hubtest.NewTap(t, cam.Address())
	entry := func(id, password string) string {
		return fmt.Sprintf("  %s: {source: {url: \"rtsp://%[2]s/main\", sub: \"rtsp://%[2]s/sub\", username: cam, password: %q}}\n", id, tap.Address(), password)
	}
	dir := hubtest.Dir(t, hubtest.Config("cameras:\n"+entry("porch", hardPassword)+entry("wrong", "not-"+hardPassword)))
	out, err := exec.Command(hubtest.Binary(t), "doctor", "cameras", "--config", filepath.Join(dir, "porchlight.yaml")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("exit: %v", err)
	}
	for _, want := range []string{
		`(?m)^ok    cameras  porch main: 127\.0\.0\.1:\d+ answers \(GStreamer RTSP server; login basic; over tcp\)$`,
		`warn  cameras  porch main asks for the password in clear \(basic\) .* digest`,
		`ok    cameras  porch main sends h264 640x360`,
		`warn  cameras  porch main sends a key frame each \d+(\.\d)?s .* set the I-frame interval \(GOP\) to 2 s \(10 frames at 5 a second\)`,
		`warn  cameras  porch main sends \d\.\d pictures a second`,
		`ok    cameras  porch main has sound: pcma`,
		`warn  cameras  porch sub sends h265 320x180 .* watch its main stream`,
		`fail  cameras  wrong main: .*401.* E-RTSP-LOGIN`,
	} {
		if !regexp.MustCompile(strings.ReplaceAll(want, " E-RTSP", ` \[E-RTSP`)).Match(out) {
			t.Errorf("no line %q", want)
		}
	}
	if n := tap.Logins(); n != 3 { // two streams, and the wrong password once
		t.Errorf("%d logins", n)
	}
	if strings.Contains(string(out), hardPassword) {
		t.Error("the password is told")
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
