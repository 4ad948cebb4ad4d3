package hubtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestPasswordOfSecretsFile: a camera's password stands in secrets.yaml, with the log at
// its most talkative. A new value there is all that a changed password takes; neither
// is read anywhere.
func TestPasswordOfSecretsFile(t *testing.T) {
	const right, wrong = "c0rrect:horse@battery/staple#1", "wr0ng:horse@battery/staple#2"
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: right, Digest: true,
		Streams: map[string]hubtest.CameraStream{"/main": {Width: 320, Height: 180, FPS: 10, Kbps: 200}}})
	p := &porch{t: t, camera: cam, tap: hubtest.NewTap(t, cam.Address())}
	yaml := "version: 1\nhub: {listen: \"127.0.0.1:0\", data_dir: ./data, log: {level: debug}, webrtc: {port: 0}, rtsp: {port: 0}}\ncameras:\n" +
		fmt.Sprintf("  porch: {source: {url: \"rtsp://%s/main\", username: cam, password: secret://porch}}\n", p.tap.Address())
	dir := hubtest.Dir(t, yaml)
	secrets := func(value string) {
		tmp := filepath.Join(dir, ".secrets.tmp")
		if err := os.WriteFile(tmp, fmt.Appendf(nil, "porch: %q\n", value), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, "secrets.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	secrets(wrong)
	p.Hub = hubtest.Start(t, hubtest.Binary(t), dir)
	p.web = login(t, p.Hub)
	if s := p.until("porch", "locked"); s.Code != "E-RTSP-LOGIN" {
		t.Errorf("%+v", s)
	}
	p.searchSecret(wrong)
	secrets(right)
	p.until("porch", "live")
	p.searchSecret(right)
	for _, part := range []string{"c0rrect", "wr0ng"} {
		if strings.Contains(p.Output(), part) {
			t.Errorf("the log holds %s", part)
		}
	}
	if n := p.tap.Logins(); n != 2 {
		t.Errorf("%d logins for two passwords", n)
	}
	if told := p.doctor(); strings.Contains(told, "fail  cameras") {
		t.Errorf("the doctor says\n%s", told)
	}
}
