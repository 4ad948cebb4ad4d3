package config

import (
	"slices"
	"testing"

	"github.com/porchlight-hub/porchlight/config/files"
)

func TestSecretsAreFoundToBeMasked(t *testing.T) {
	c, problems := Parse("t.yaml", []byte(`version: 1
plugins:
  gate:
    path: ./gate
    config: {password: correct-horse, nested: [{api_key: battery}], host: 10.0.0.4, token: "secret://gate", pin: env://PIN, on: true, retries: 5}
cameras:
  door:
    plugin: gate
    source: {url: "rtsp://admin:sta:p/le@10.0.0.5/live", plain: "rtsp://10.0.0.6/live"}
`), Options{disk: files.Kept{Files: map[string][]byte{"secrets.yaml": []byte("gate: staple\nunused: hidden\n")}, Vars: map[string]string{"PIN": "0417"}}})
	if err := AsError(problems); err != nil {
		t.Fatal(err)
	}
	got := c.Secrets()
	slices.Sort(got)
	if want := []string{"0417", "battery", "correct-horse", "hidden", "sta:p/le", "staple"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
