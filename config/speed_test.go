package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLoad500 reads a file of 500 lines, which is a house of a hundred cameras.
func BenchmarkLoad500(b *testing.B) {
	var s strings.Builder
	s.WriteString("version: 1\ncameras:\n")
	for i := range 100 {
		fmt.Fprintf(&s, "  cam%d:\n    name: Camera %d\n    source:\n      url: rtsp://10.0.0.%d/live\n      password: word%d\n", i, i, i, i)
	}
	path := "/house/porchlight.yaml"
	opts := testOptions()
	for b.Loop() {
		if c, problems := Parse(path, []byte(s.String()), opts); c == nil {
			b.Fatal(Text(problems, ""))
		}
	}
}
