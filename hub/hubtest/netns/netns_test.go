//go:build linux

package netns_test

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

func lay(t *testing.T) *netns.Cable {
	netns.Need(t)
	return netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64")}},
		netns.End{Host: netns.NewHost(t, "phone"), Interface: "wlan0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")}})
}

// arrived is how many of so many datagrams arrive at the house.
func arrived(t *testing.T, c *netns.Cable, to string, many int) int {
	t.Helper()
	in, err := net.ListenPacket("udp", net.JoinHostPort(to, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.B.Host.DialContext(t.Context(), "udp", in.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	n, buf := 0, make([]byte, 16)
	for i := range many {
		if _, err := out.Write([]byte{byte(i)}); err != nil {
			return n
		}
		// A datagram between namespaces is there or lost when Write comes back.
		if err := in.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := in.ReadFrom(buf); err == nil {
			n++
		}
	}
	return n
}

func TestCable(t *testing.T) {
	c := lay(t)
	for _, to := range []string{"10.77.0.1", "fd77::1"} {
		if n := arrived(t, c, to, 20); n != 20 {
			t.Errorf("%d of 20 datagrams arrive at %s", n, to)
		}
	}
	c.A.Lose("meta l4proto udp", 30)
	n := arrived(t, c, "10.77.0.1", 200)
	if lost := c.A.Heal(); n+lost != 200 || lost < 20 || lost > 110 {
		t.Errorf("of 200 datagrams %d arrive and %d are lost", n, lost)
	}
	c.A.Lose("meta l4proto udp", 100)
	if n := arrived(t, c, "10.77.0.1", 3); n != 0 {
		t.Errorf("%d arrive although all are dropped", n)
	}
	c.A.Heal()
	c.B.Pull()
	if out, err := c.B.Host.DialContext(t.Context(), "udp", "[fd77::1]:9"); err == nil {
		out.Close()
		t.Error("a pulled cable has a way to the house")
	}
	c.B.Plug()
	c.B.Replace(netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("10.77.0.22/24"))
	for _, to := range []string{"10.77.0.1", "fd77::1"} {
		if n := arrived(t, c, to, 5); n == 0 {
			t.Errorf("nothing arrives at %s after the plug is in again", to)
		}
	}
	l, err := net.Listen("tcp", "10.77.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := c.B.Host.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if got, _, _ := net.SplitHostPort(out.LocalAddr().String()); got != "10.77.0.22" {
		t.Errorf("the phone comes from %s", got)
	}
	if list, err := net.Interfaces(); err != nil || len(list) != 2 {
		t.Errorf("the house has %v (%v)", list, err)
	}
}
