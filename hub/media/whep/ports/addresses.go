package ports

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// maxAddresses of one machine: each is a socket and a candidate in every answer.
const maxAddresses = 16

// Found is one address of this machine.
type Found struct {
	Interface string
	Addr      netip.Addr
	Loopback  bool
}

// Machine lists the addresses of the interfaces that are up.
func Machine() ([]Found, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []Found
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went while we looked
		}
		for _, a := range addrs {
			p, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if ip, ok := netip.AddrFromSlice(p.IP); ok {
				out = append(out, Found{i.Name, ip.Unmap(), i.Flags&net.FlagLoopback != 0})
			}
		}
	}
	return out, nil
}

// virtual are beginnings of names of interfaces that lead to containers and guests of
// this machine, which browsers are not on.
func virtual(name string) bool {
	return slices.ContainsFunc([]string{
		"docker", "br-", "veth", "virbr", "vnet", "lxc", "lxd", "cni", "flannel", "cali", "podman", "vmnet", "vboxnet", "kube-", "weave",
	}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// choose picks of found those that browsers are told. With no names given, interfaces
// that are obviously virtual are left out, unless there is no other.
func choose(found []Found, s Settings) []netip.Addr {
	take := func(keep func(Found) bool) (out []netip.Addr) {
		for _, f := range found {
			usable := f.Addr.IsLoopback() == s.Loopback && (f.Addr.IsLoopback() || f.Addr.IsGlobalUnicast())
			if usable && keep(f) && !slices.Contains(out, f.Addr) && len(out) < maxAddresses {
				out = append(out, f.Addr)
			}
		}
		return out
	}
	if s.Loopback {
		return take(func(Found) bool { return true })
	}
	if len(s.Interfaces) > 0 {
		return take(func(f Found) bool { return slices.Contains(s.Interfaces, f.Interface) })
	}
	if out := take(func(f Found) bool { return !virtual(f.Interface) && !f.Loopback }); len(out) > 0 {
		return out
	}
	return take(func(f Found) bool { return !f.Loopback })
}
