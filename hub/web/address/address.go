package address

import (
	"net"
	"slices"
	"strings"
)

// Outside is this machine's address on the house's network as a phone would name it;
// empty where there is none.
func Outside() string {
	// Which address would a packet to elsewhere bear? (RFC 5737: nobody is there, and
	// connecting a UDP socket sends nothing.)
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsLoopback() && !a.IP.IsUnspecified() {
			return a.IP.String()
		}
	}
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var best []net.IP // the house's first, IPv4 first
	for _, containers := range []bool{false, true} {
		for _, four := range []bool{true, false} {
			for _, i := range all {
				if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && forContainers(i.Name) == containers {
					best = append(best, addressesOf(i, four)...)
				}
			}
		}
	}
	if len(best) == 0 {
		return ""
	}
	return best[0].String()
}

func addressesOf(i net.Interface, four bool) (out []net.IP) {
	addrs, err := i.Addrs()
	if err != nil {
		return nil // it went away
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() && (n.IP.To4() != nil) == four {
			out = append(out, n.IP)
		}
	}
	return out
}

func forContainers(name string) bool {
	return slices.ContainsFunc([]string{"docker", "br-", "veth", "virbr", "cni", "podman"}, func(p string) bool { return strings.HasPrefix(name, p) })
}
