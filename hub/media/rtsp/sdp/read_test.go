package sdp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTmp(t *testing.T) {
	files, _ := filepath.Glob("/work/shared/fixtures/rtsp/*/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		i := bytes.Index(b, []byte("v=0"))
		if i < 0 {
			continue
		}
		d, err := Read(b[i:], nil)
		t.Log(filepath.Base(f), err)
		if d == nil {
			continue
		}
		t.Log("   ", d.Control, d.Repairs, d.Left)
		for _, m := range d.Medias {
			for _, f := range m.Formats {
				t.Log("      ", m.Kind, m.Control, m.Talk, m.Secure, f.Name, f.Clock, f.Type)
			}
		}
	}
}
