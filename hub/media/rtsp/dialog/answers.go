package dialog

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

// ContentBase is what the tracks' addresses are relative to (RFC 2326 C.1.1). Cameras write
// it with the scheme twice or left out, IPv6 without brackets, their address behind a
// router or 0.0.0.0: only its path counts, the host is the one that was dialled.
func ContentBase(asked *url.URL, header string, without func(string) bool) (string, error) {
	if header = strings.Trim(header, ` "`); header == "" {
		return asked.String(), nil
	}
	if without("content_base") {
		u, err := base.ParseURL(header)
		if err != nil {
			return "", fmt.Errorf("content-base: %w", err)
		}
		return u.String(), nil
	}
	return onHost(asked, pathOf(header)), nil
}

// pathOf is the path and query of an address, however its front is written.
func pathOf(s string) string {
	for {
		i := strings.Index(s, "://")
		if i < 0 || strings.ContainsAny(s[:i], "/?") {
			break
		}
		s = s[i+3:]
	}
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[i:]
	}
	return "/"
}

func onHost(asked *url.URL, path string) string {
	return asked.Scheme + "://" + asked.Host + path
}

// ControlURL is the address of a track. A control that is no address goes to the end, also
// behind a query, as nearly all servers want it (first); some want it before the query.
func ControlURL(asked *url.URL, from, control string, trackFirst bool) string {
	switch lower := strings.ToLower(control); {
	case control == "" || control == "*":
		return from
	case strings.HasPrefix(lower, "rtsp://") || strings.HasPrefix(lower, "rtsps://"):
		return onHost(asked, pathOf(control))
	}
	path := pathOf(from)
	if own, _, _ := strings.Cut(path, "?"); control[0] == '/' && own != "/" && strings.HasPrefix(control, strings.TrimRight(own, "/")+"/") {
		return onHost(asked, control)
	}
	query := ""
	if i := strings.IndexByte(path, '?'); i >= 0 && trackFirst {
		path, query = path[:i], path[i:]
	}
	if control[0] == '/' {
		path = strings.TrimRight(path, "/")
	} else if control[0] != '?' && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return onHost(asked, path+control+query)
}

// TransportAnswer reads what a server answers to SETUP; asked is what it was asked for.
func TransportAnswer(header []string, asked headers.Transport, without func(string) bool) (headers.Transport, error) {
	var t headers.Transport
	if len(header) == 0 || strings.TrimSpace(header[0]) == "" {
		if without("transport_missing") {
			return t, fmt.Errorf("transport: no header")
		}
		return asked, nil
	}
	s, _, _ := strings.Cut(header[0], ",")
	if !without("transport_blanks") {
		s = strings.ReplaceAll(s, " ", "")
	}
	parts := strings.Split(strings.Trim(s, ";"), ";")
	if !without("transport_profile") {
		profile := asked.Marshal()[0]
		profile, _, _ = strings.Cut(profile, ";")
		parts = slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(strings.ToUpper(p), "RTP/") })
		parts = append([]string{profile}, parts...)
	}
	if !without("transport_channels") {
		parts = slices.DeleteFunc(parts, func(p string) bool {
			key, value, _ := strings.Cut(p, "=")
			return strings.EqualFold(key, "interleaved") && strings.Trim(value, "0123456789-") != "" ||
				strings.EqualFold(key, "ssrc") || strings.EqualFold(key, "mode")
		})
	}
	if err := t.Unmarshal(base.HeaderValue{strings.Join(parts, ";")}); err != nil {
		return t, fmt.Errorf("transport: %w", err)
	}
	if t.Protocol != asked.Protocol {
		return t, fmt.Errorf("transport: another one was asked for")
	}
	if t.Protocol == headers.TransportProtocolTCP && t.InterleavedIDs == nil {
		if without("transport_channels") {
			return t, fmt.Errorf("transport: no channels")
		}
		t.InterleavedIDs = asked.InterleavedIDs
	}
	return t, nil
}
