package cli

import (
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// TestQuietLine: quiet without an end, as Apple Home's switch makes it, has no date.
func TestQuietLine(t *testing.T) {
	if got := quietLine(api.Quiet{On: true}, time.UTC); got != "the house is kept quiet" {
		t.Error(got)
	}
	until := time.Date(2026, 11, 24, 22, 30, 0, 0, time.UTC)
	if got := quietLine(api.Quiet{On: true, Until: until}, time.FixedZone("", 3600)); got != "the house is kept quiet until 2026-11-24 23:30" {
		t.Error(got)
	}
}
