package main

import (
	"os"
	"strings"
	"testing"
)

// The guide for authors shows this plugin; what it shows is what compiles here.
func TestGuideShowsThisPlugin(t *testing.T) {
	guide, err := os.ReadFile("../../docs/plugin-guide/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"main": "main.go", "test": "main_test.go"} {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(guide), "<!-- "+name+":begin -->\n```go\n")
		have, _, ok2 := strings.Cut(rest, "```\n<!-- "+name+":end -->")
		if !ok || !ok2 || have != string(want) {
			t.Errorf("the guide's listing is not %s", file)
		}
	}
}
