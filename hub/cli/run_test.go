package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/app"
)

// A link that no browser opens is not given without a word.
func TestBannerTellsOfTheCertificate(t *testing.T) {
	o := &app.Options{Version: "1", File: "porchlight.yaml"}
	var good, bad strings.Builder
	banner(&good, o, "https://hub.local/setup", "", nil)
	banner(&bad, o, "https://hub.local/setup", "", errors.New("the certificate cannot be read"))
	const why = "Browsers refuse that page"
	if strings.Contains(good.String(), why) {
		t.Errorf("all is well, and it says\n%s", good.String())
	}
	if !strings.Contains(bad.String(), why) || !strings.Contains(bad.String(), "cannot be read") {
		t.Errorf("nothing of the certificate in\n%s", bad.String())
	}
}
