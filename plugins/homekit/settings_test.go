package homekit

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSettingsProblems(t *testing.T) {
	for _, c := range []struct{ name, in, path, says string }{
		{"two of one identity", `{"accessories":{"a":{"id":"front"},"b":{"id":"front"}}}`, "/accessories/b/id", "identity of a too"},
		{"an identity that another camera has by its name", `{"accessories":{"a":{"id":"b"},"b":{}}}`, "/accessories/b/id", "identity of a too"},
		{"no identity", `{"accessories":{"a":{"id":"Front Door"}}}`, "/accessories/a/id", "cannot be"},
		{"the bridge's", `{"accessories":{"a":{"id":"_bridge"}}}`, "/accessories/a/id", "cannot be"},
		{"a code that all know", `{"accessories":{"a":{"setup_code":"12345678"}}}`, "/accessories/a/setup_code", ""},
		{"no code", `{"accessories":{"a":{"setup_code":"1234"}}}`, "/accessories/a/setup_code", ""},
		{"an empty camera", `{"expose":[" "]}`, "/expose/0", "empty"},
		{"a secret", `{"accessories":{"a":{"setup_code":"secret://porch_code"}}}`, "", ""},
		{"nothing", `{}`, "", ""},
	} {
		var s settings
		if err := json.Unmarshal([]byte(c.in), &s); err != nil {
			t.Fatal(c.name, err)
		}
		got := s.check()
		switch {
		case c.path == "" && len(got) > 0:
			t.Errorf("%s: %v", c.name, got)
		case c.path != "" && (len(got) != 1 || got[0].Path != c.path || !strings.Contains(got[0].Message, c.says) || got[0].Fix == ""):
			t.Errorf("%s: %+v", c.name, got)
		}
		for _, p := range got {
			if strings.Contains(p.Message+p.Fix, "1234") {
				t.Errorf("%s: the code is told: %+v", c.name, p)
			}
		}
	}
}

func TestExposes(t *testing.T) {
	if s := (settings{}); !s.exposes("any") {
		t.Error("left out, all are seen")
	}
	if s := (settings{Expose: &[]string{"a"}}); s.exposes("b") || !s.exposes("a") {
		t.Error("only the named ones are seen")
	}
	if s := (settings{Expose: &[]string{}}); s.exposes("a") {
		t.Error("an empty list shows none")
	}
}
