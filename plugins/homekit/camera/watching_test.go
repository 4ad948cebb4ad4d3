package camera

import (
	"testing"
	"time"
)

// TestFlow: the key frame that a stream begins with is not its bit rate.
func TestFlow(t *testing.T) {
	var f flow
	since := time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		bytes uint64
		want  int
	}{
		{0, 0, 0},
		{20 * time.Millisecond, 50_000, 0},
		{time.Second, 125_000, 1000},
		{2 * time.Second, 500_000, 1000}, // within the next two seconds
		{3 * time.Second, 375_000, 1000},
		{5 * time.Second, 375_000 + 500_000, 2000},
	} {
		if got := f.kbps(since.Add(step.after), since, step.bytes); got != step.want {
			t.Errorf("after %v: %d kb/s, not %d", step.after, got, step.want)
		}
	}
	if got := new(flow).kbps(since, time.Time{}, 10); got != 0 {
		t.Errorf("before anything was sent: %d kb/s", got)
	}
}
