//go:build linux

package netns

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// End is one end of a cable: an interface of a host, and its addresses with their
// prefix lengths.
type End struct {
	Host      *Host
	Interface string
	Addresses []netip.Prefix
}

// Cable joins two hosts.
type Cable struct {
	A, B *End
	tb   testing.TB
}

// Join lays a cable between two hosts; both ends are up when it comes back.
func Join(tb testing.TB, a, b End) *Cable {
	tb.Helper()
	c := &Cable{A: &a, B: &b, tb: tb}
	if b.Host.file == nil {
		tb.Fatal("netns: the second end must not be the house's own")
	}
	other := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.Host.file.Fd())
	var refusal error
	_ = a.Host.Do(func() error { // the error is the refusal
		_, refusal = tool("", "ip", "link", "add", a.Interface, "type", "veth", "peer", "name", b.Interface, "netns", other)
		return refusal
	})
	if refusal != nil {
		if strings.Contains(refusal.Error(), "not supported") || strings.Contains(refusal.Error(), "not permitted") {
			tb.Skipf("SKIPPED: the kernel refuses a pair of veth interfaces: %v", refusal)
		}
		tb.Fatal(refusal)
	}
	tb.Cleanup(func() {
		_ = a.Host.Do(func() error { // the pair may be gone with the other host
			_, err := tool("", "ip", "link", "del", a.Interface)
			return err
		})
	})
	for _, e := range []*End{c.A, c.B} {
		for _, p := range e.Addresses {
			e.add(p)
		}
		e.Host.IP("link", "set", e.Interface, "up")
	}
	return c
}

// add gives the interface an address, which can be used at once.
func (e *End) add(p netip.Prefix) {
	args := []string{"addr", "replace", p.String(), "dev", e.Interface}
	if p.Addr().Is6() {
		args = append(args, "nodad")
	}
	e.Host.IP(args...)
}

// Replace takes an address away and gives another, as a router does after its restart.
func (e *End) Replace(old, with netip.Prefix) {
	e.Host.IP("addr", "del", old.String(), "dev", e.Interface)
	e.add(with)
	for i, p := range e.Addresses {
		if p == old {
			e.Addresses[i] = with
		}
	}
}

// Give adds an address to an end.
func (e *End) Give(p netip.Prefix) {
	e.add(p)
	e.Addresses = append(e.Addresses, p)
}

// Take takes an address away.
func (e *End) Take(p netip.Prefix) {
	e.Host.IP("addr", "del", p.String(), "dev", e.Interface)
	e.Addresses = slices.DeleteFunc(e.Addresses, func(has netip.Prefix) bool { return has == p })
}

// Pull takes the plug out of that end, which its host sees, and the other end too.
func (e *End) Pull() { e.Host.IP("link", "set", e.Interface, "down") }

// Plug puts it in again. IPv6 addresses went with the link and come back.
func (e *End) Plug() {
	e.Host.IP("link", "set", e.Interface, "up")
	for _, p := range e.Addresses {
		e.add(p)
	}
}

// Lose drops that part of the packets that come in at an end and that the match takes,
// in percent: "meta l4proto udp" for instance, empty for all. 100 needs no chance.
func (e *End) Lose(match string, percent int) {
	chance := ""
	if percent < 100 {
		chance = fmt.Sprintf("numgen random mod 100 < %d ", percent)
	}
	e.Host.Rules(fmt.Sprintf("chain in {\ntype filter hook input priority 0;\niifname %q %s %s counter drop\n}", e.Interface, match, chance))
}

// Heal lets everything through again and tells how many packets were lost.
func (e *End) Heal() int {
	n := e.Lost()
	e.Host.Rules("")
	return n
}

// Lost is how many packets the rules of Lose dropped.
func (e *End) Lost() int {
	m := regexp.MustCompile(`counter packets (\d+)`).FindStringSubmatch(e.Host.Filter())
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		e.Host.tb.Fatal(err)
	}
	return n
}
