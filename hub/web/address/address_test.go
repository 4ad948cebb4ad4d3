package address

import (
	"net/netip"
	"testing"
)

// TestOutside: what other machines are told leads to this one from outside of it, or is
// not told at all.
func TestOutside(t *testing.T) {
	got := Outside()
	if got == "" {
		t.Skip("a machine without a network")
	}
	if a, err := netip.ParseAddr(got); err != nil || a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() {
		t.Errorf("%q: %v", got, err)
	}
}

func TestContainersAreNotTheHouse(t *testing.T) {
	for name, want := range map[string]bool{"eth0": false, "wlan0": false, "br0": false, "docker0": true, "br-4f2a": true, "veth1": true} {
		if forContainers(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
