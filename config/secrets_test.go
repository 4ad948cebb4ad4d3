package config

import (
	"slices"
	"testing"
)

func TestSecretsAreFoundToBeMasked(t *testing.T) {
	c, problems := Parse("t.yaml", []byte(`version: 1
plugins:
  gate:
    path: ./gate
    config: {password: correct-horse, nested: [{api_key: battery}], host: 10.0.0.4, token: "secret://gate/token", on: true, retries: 5}
cameras:
  door:
    plugin: gate
    source: {url: "rtsp://admin:sta:p/le@10.0.0.5/live", plain: "rtsp://10.0.0.6/live"}
`), Options{})
	if err := AsError(problems); err != nil {
		t.Fatal(err)
	}
	got := c.Secrets()
	slices.Sort(got)
	if want := []string{"battery", "correct-horse", "sta:p/le"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
