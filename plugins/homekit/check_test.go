package homekit

import (
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/plugins/homekit/announce"
	"github.com/porchlight-hub/porchlight/sdk"
)

// TestCheckNames: settings of a camera that is not there are told, with those that are.
func TestCheckNames(t *testing.T) {
	house := []sdk.CameraInfo{{ID: "porch"}, {ID: "yard"}, {ID: "away", Hub: "another"}}
	s := settings{Expose: &[]string{"porch", "prch", "away"}, Accessories: map[string]accessorySettings{"yrad": {}, "yard": {}}}
	got := checkNames(s, house)
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, says := range []string{`expose below plugins.homekit.config names "prch"`, `"away"`, `accessories below plugins.homekit.config names "yrad"`} {
		if l := got[i]; l.State != "warn" || !strings.Contains(l.Why, says) || !strings.HasSuffix(l.Fix, "porch, yard") {
			t.Errorf("%+v", l)
		}
	}
	if got := checkNames(settings{}, house); len(got) > 0 {
		t.Errorf("nothing is named: %+v", got)
	}
	if got := checkNames(s, nil); len(got) != 5 || strings.Contains(got[0].Fix, "has") {
		t.Errorf("an empty house: %+v", got)
	}
}

// TestCheckInterfaces: one that was named and is not used is to be looked at.
func TestCheckInterfaces(t *testing.T) {
	all := []announce.Interface{{Name: "eth0", Used: true}, {Name: "lo", Why: "it is not among the interfaces that were named"}, {Name: "eht1", Why: "there is no interface of this name"}}
	if l := checkInterfaces(all, []string{"eth0", "eht1"}, nil); l.State != "warn" || !strings.HasSuffix(l.Fix, ": eht1") {
		t.Errorf("%+v", l)
	}
	if l := checkInterfaces(all[:2], []string{"eth0"}, nil); l.State != "ok" || l.Fix != "" {
		t.Errorf("%+v", l)
	}
	if l := checkInterfaces(all[1:], []string{"eht1"}, nil); l.State != "fail" {
		t.Errorf("%+v", l)
	}
}
