package httpcam

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// Answers of real devices, read in place.
func TestAnswersOfRealDevices(t *testing.T) {
	dir := os.Getenv("PORCHLIGHT_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no answers of real devices here; PORCHLIGHT_FIXTURES names their folder")
	}
	for file, c := range map[string]struct {
		kind string
		want []string // beginnings of the parts
	}{
		"doorbird/monitor-press.multipart":         {"multipart/x-mixed-replace; boundary=--ioboundary", []string{"doorbell:L", "motionsensor:L", "doorbell:H", "doorbell:L"}},
		"dahua/attach-VideoMotion-Start.multipart": {"multipart/x-mixed-replace; boundary=myboundary", []string{"Code=VideoMotion;action=Start;index=0;data={"}},
	} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		for range 2 { // devices go on
			b = append(b, b...)
			c.want = append(c.want, c.want...)
		}
		got, _, _ := read(iotest.HalfReader(bytes.NewReader(b)), c.kind)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: %q", file, got)
		}
		for _, p := range got {
			if strings.HasPrefix(p, "Code=") && !strings.HasSuffix(strings.TrimSpace(p), "}") {
				t.Errorf("%s: cut off: %q", file, p)
			}
		}
	}
}
