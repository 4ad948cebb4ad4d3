package hubtest_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

func TestPitch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heard.raw")
	if got := hubtest.Heard(t, file); len(got) != 0 {
		t.Errorf("%d samples of a file that is not there", len(got))
	}
	var b []byte
	for i := range 8000 {
		b = binary.NativeEndian.AppendUint16(b, uint16(int16(12000*math.Sin(2*math.Pi*1000*float64(i)/8000))))
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	pcm := hubtest.Heard(t, file)
	if hz, part := hubtest.Pitch(pcm, 8000); hz != 1000 || part < 0.99 || part > 1.01 {
		t.Errorf("1 kHz is taken for %.0f Hz, %.2f of all", hz, part)
	}
	if hz, part := hubtest.Pitch(make([]float64, 8000), 8000); hz != 0 || part != 0 {
		t.Errorf("silence is taken for %.0f Hz", hz)
	}
}
