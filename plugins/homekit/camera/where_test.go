package camera

import (
	"net/netip"
	"testing"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
)

// TestWhereStreamsGo: to the controller, and to other hosts of the house; not to strangers,
// and not to all at once.
func TestWhereStreamsGo(t *testing.T) {
	var own []netip.Prefix
	for _, n := range []string{"127.0.0.1/8", "10.1.2.3/24", "203.0.113.9/28", "10.9.9.1/31", "2001:db8:1:2::7/64", "fd00:1::7/64", "fe80::7/64"} {
		own = append(own, netip.MustParsePrefix(n))
	}
	for _, c := range []struct {
		to, from string
		may      bool
	}{
		{"10.1.2.4", "10.1.2.4", true},
		{"10.1.2.5", "10.1.2.4", true}, // a phone, for which the home hub asks
		{"192.168.7.5", "10.1.2.4", true},
		{"203.0.113.10", "10.1.2.4", true},
		{"8.8.8.8", "8.8.8.8", true}, // whoever has come in from there
		{"8.8.8.8", "10.1.2.4", false},
		{"203.0.113.17", "10.1.2.4", false},
		{"100.64.0.3", "10.1.2.4", false},
		{"10.1.2.255", "10.1.2.4", false},
		{"10.1.2.0", "10.1.2.4", false},
		{"203.0.113.15", "10.1.2.4", false},
		{"127.255.255.255", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"10.9.9.0", "10.9.9.0", true}, // RFC 3021
		{"fe80::9%eth0", "10.1.2.4", true},
		{"fd00:7::9", "10.1.2.4", true},
		{"2001:db8:1:2::9", "10.1.2.4", true},
		{"2001:db8:1:3::9", "10.1.2.4", true},
		{"2001:db8:2::9", "10.1.2.4", false},
		{"2001:db8:2::9", "2001:db8:2:1::9", true},
		{"::ffff:8.8.8.8", "10.1.2.4", false},
	} {
		if got := inTheHouse(netip.MustParseAddr(c.to), netip.MustParseAddr(c.from), own); got != c.may {
			t.Errorf("to %s, asked from %s: %v", c.to, c.from, got)
		}
	}
}

// TestNoStreamToStrangers is the same by what a controller writes.
func TestNoStreamToStrangers(t *testing.T) {
	h := newHouse(t)
	c := door(t, h, nil)
	p := newPhone(t, 1, nil) // on an address that can be bound
	for _, to := range []string{"8.8.8.8", "127.255.255.255"} {
		v, _, err := c.streams[0].open(p.peer, message.Endpoints{Addr: netip.MustParseAddr(to), VideoPort: 5000, AudioPort: 5002})
		if err == nil {
			v.session.Close("it must not be")
			t.Errorf("a stream to %s", to)
		}
	}
}
