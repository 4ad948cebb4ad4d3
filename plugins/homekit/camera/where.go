package camera

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
)

var errElsewhere = errors.New("the address to send to is neither the controller's nor one host of the house")

// inTheHouse says whether a stream may go to an address: the one that the controller asks
// from, or that of one host of the house, where the home hub asks for a phone. Whoever may
// see a camera must not have it sent to strangers, or to all at once.
func inTheHouse(to, from netip.Addr, own []netip.Prefix) bool {
	to, from = to.Unmap().WithZone(""), from.Unmap().WithZone("")
	if slices.ContainsFunc(own, func(n netip.Prefix) bool { return isAll(to, n) }) {
		return false
	}
	if to == from || to.IsPrivate() || to.IsLinkLocalUnicast() || to.IsLoopback() {
		return true // loopback: ourAddress knows who may
	}
	if slices.ContainsFunc(own, func(n netip.Prefix) bool { return n.Contains(to) }) {
		return true
	}
	if to.Is4() {
		return false
	}
	// Of IPv6 a house has one /48 or less, and may have several networks of it (RFC 6177).
	site, err := to.Prefix(48)
	return err == nil && (site.Contains(from) || slices.ContainsFunc(own, func(n netip.Prefix) bool { return site.Contains(n.Addr()) }))
}

// isAll says whether an address means all hosts of an IPv4 network (RFC 919, section 7).
func isAll(a netip.Addr, n netip.Prefix) bool {
	if !a.Is4() || !n.Addr().Is4() || n.Bits() > 30 || !n.Contains(a) {
		return false
	}
	b := a.As4()
	host := binary.BigEndian.Uint32(b[:]) << n.Bits()
	return host == 0 || host == ^uint32(0)<<n.Bits()
}

// ownNetworks are those of this machine; none where it does not tell.
func ownNetworks() []netip.Prefix {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()))
		}
	}
	return out
}
