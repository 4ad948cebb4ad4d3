package announce

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
)

// Interface is one network interface and whether accessories are announced there.
type Interface struct {
	Name  string
	Addrs []netip.Addr
	Used  bool
	Why   string // it is or is not used

	index    int
	prefixes []netip.Prefix
}

// containers are the bridges and cables of containers and virtual machines. A phone is
// never there, and the addresses are of no use to one.
var containers = regexp.MustCompile(`^(docker\d*|docker_gwbridge|br-[0-9a-f]{12}|veth.*|virbr.*|vnet\d+|cni.*|flannel.*|cali.*|cilium.*|lxc.*|lxdbr.*|podman.*|kube-.*)$`)

// Interfaces lists all interfaces; named ones alone are used when there are any.
func Interfaces(named []string) ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("mdns: list interfaces: %w", err)
	}
	var out []Interface
	for _, ifc := range all {
		one := Interface{Name: ifc.Name, index: ifc.Index}
		addrs, err := ifc.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				one.prefixes = append(one.prefixes, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()))
				one.Addrs = append(one.Addrs, p.Addr().Unmap())
			}
		}
		one.Used, one.Why = judge(ifc.Name, ifc.Flags, len(one.Addrs), named)
		out = append(out, one)
	}
	for _, name := range named {
		if !slices.ContainsFunc(out, func(i Interface) bool { return i.Name == name }) {
			out = append(out, Interface{Name: name, Why: "there is no interface of this name"})
		}
	}
	return out, nil
}

func judge(name string, flags net.Flags, addrs int, named []string) (used bool, why string) {
	isNamed := slices.Contains(named, name)
	switch {
	case len(named) > 0 && !isNamed:
		return false, "it is not among the interfaces that were named"
	case flags&net.FlagUp == 0:
		return false, "it is down"
	case addrs == 0:
		return false, "it has no address"
	case isNamed:
		return true, "it was named"
	case flags&net.FlagLoopback != 0:
		return false, "nobody else is on it"
	case flags&net.FlagMulticast == 0:
		return false, "it has no multicast"
	case flags&net.FlagPointToPoint != 0:
		return false, "it is a tunnel"
	case containers.MatchString(name):
		return false, "it belongs to containers"
	}
	return true, "a network of the house"
}
