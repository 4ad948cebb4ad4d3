package certs

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// maxNames bounds what one certificate is for; a machine with many containers has many
// addresses.
const maxNames = 64

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Names are what people of the house may call this machine by now: the host of
// publicURL, the machine's name, the house's name in .local, localhost, and the
// addresses of its interfaces. The most likely come first.
func Names(house, publicURL string) []string {
	var out []string
	add := func(name string) {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if (net.ParseIP(name) != nil || isHost(name)) && !slices.Contains(out, name) && len(out) < maxNames {
			out = append(out, name)
		}
	}
	if u, err := url.Parse(publicURL); err == nil && publicURL != "" {
		add(u.Hostname())
	}
	add("localhost")
	add("127.0.0.1")
	add("::1")
	if host, err := os.Hostname(); err == nil {
		add(host)
		first, _, _ := strings.Cut(host, ".")
		add(first + ".local") // what multicast DNS calls it (RFC 6762)
	}
	if s := slug(house); s != "" {
		add(s + ".local")
	}
	for _, ip := range addresses() {
		add(ip.String())
	}
	return out
}

// addresses of this machine that a browser elsewhere can name: no link-local ones,
// which need a zone. IPv4 first; sorted, so that the same ones are the same list.
func addresses() []net.IP {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []net.IP
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() && !n.IP.IsMulticast() {
			out = append(out, n.IP)
		}
	}
	slices.SortFunc(out, func(a, b net.IP) int {
		if four := a.To4() != nil; four != (b.To4() != nil) {
			if four {
				return -1
			}
			return 1
		}
		return slices.Compare(a.To16(), b.To16())
	})
	return out
}

func isHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if !label.MatchString(part) {
			return false
		}
	}
	return true
}

// slug of a house's name: elm-street-12.
func slug(house string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(house) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String()[:min(b.Len(), 63)], "-")
}
