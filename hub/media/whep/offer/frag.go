package offer

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// MaxCandidates of one browser between restarts: each costs work and memory, and without
// ICE lite a packet to where it points.
const MaxCandidates = 64

// Frag is a part of an SDP as candidates travel in it (RFC 8840).
type Frag struct {
	Ufrag, Pwd string
	Mid        string   // of the first section
	Candidates []string // as candidate:...
}

// ReadFrag takes a fragment apart.
func ReadFrag(body string) (Frag, error) {
	var f Frag
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		value, ok := strings.CutPrefix(line, "a=")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(value, ":")
		switch {
		case key == "ice-ufrag" && f.Ufrag == "":
			f.Ufrag = value
		case key == "ice-pwd" && f.Pwd == "":
			f.Pwd = value
		case key == "mid" && f.Mid == "":
			f.Mid = value
		case key == "candidate":
			if len(f.Candidates) == MaxCandidates {
				return f, fmt.Errorf("more than %d candidates", MaxCandidates)
			}
			f.Candidates = append(f.Candidates, key+":"+value)
		}
	}
	if err := lines.Err(); err != nil {
		return f, err
	}
	// RFC 8839 5.4: 4 and 22 characters at least, 256 at most, of a small alphabet.
	if !iceText(f.Ufrag, 4) || !iceText(f.Pwd, 22) {
		return f, errors.New("ice-ufrag or ice-pwd is missing or broken")
	}
	return f, nil
}

func iceText(s string, least int) bool {
	if len(s) < least || len(s) > 256 {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return false
		}
	}
	return true
}

// Credentials of the first section of an SDP.
func Credentials(text string) (ufrag, pwd string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && ufrag == "" {
			ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && pwd == "" {
			pwd = v
		}
	}
	return ufrag, pwd
}

// Takes tells whether a candidate is the address of a machine elsewhere, or with loopback
// of this one too. Names are not looked up, and nobody is sent to all at once.
func Takes(candidate string, loopback bool) bool {
	f := strings.Fields(candidate)
	if len(f) < 8 {
		return false
	}
	a, err := netip.ParseAddr(f[4])
	a = a.Unmap()
	return err == nil && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && (loopback || !a.IsLoopback())
}

// Candidates takes those that Takes refuses, and those beyond the most, out of an SDP.
func Candidates(text string, loopback bool) (rest string, n int) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			if n == MaxCandidates || !Takes(c, loopback) {
				continue
			}
			n++
		}
		b.WriteString(line)
	}
	return b.String(), n
}

// WithCredentials is the offer with other credentials and without its old candidates.
func WithCredentials(offer string, f Frag) string {
	var b strings.Builder
	for line := range strings.Lines(offer) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			b.WriteString("a=ice-ufrag:" + f.Ufrag + "\r\n")
		case strings.HasPrefix(line, "a=ice-pwd:"):
			b.WriteString("a=ice-pwd:" + f.Pwd + "\r\n")
		case strings.HasPrefix(line, "a=candidate:"), strings.HasPrefix(line, "a=end-of-candidates"):
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// FragOf is what a restart is answered with: the credentials, and the candidates under
// the first section, since all are bundled (RFC 8840 9).
func FragOf(answer string) string {
	ufrag, pwd := Credentials(answer)
	var b strings.Builder
	if strings.Contains(answer, "a=ice-lite") {
		b.WriteString("a=ice-lite\r\n")
	}
	b.WriteString("a=ice-ufrag:" + ufrag + "\r\na=ice-pwd:" + pwd + "\r\n")
	section, seen := false, map[string]bool{}
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "m=") && !section:
			section = true
			b.WriteString(line + "\r\n")
		case strings.HasPrefix(line, "a=mid:") && !seen["mid"]:
			seen["mid"] = true
			b.WriteString(line + "\r\n")
		case strings.HasPrefix(line, "a=candidate:") && !seen[line]:
			seen[line] = true
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}

// WithMids gives sections that were refused their names, which pion leaves out: browsers
// want them when they apply an answer again (RFC 8829 5.3.1).
func WithMids(answer, offer string) string {
	var names []string
	n := -1
	for line := range strings.Lines(offer) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "m=") {
			names = append(names, "")
			n++
		} else if v, ok := strings.CutPrefix(line, "a=mid:"); ok && n >= 0 {
			names[n] = v
		}
	}
	var b strings.Builder
	n = -1
	named := true
	name := func() {
		if !named && n < len(names) && names[n] != "" {
			b.WriteString("a=inactive\r\na=mid:" + names[n] + "\r\n")
		}
	}
	for line := range strings.Lines(answer) {
		switch {
		case strings.HasPrefix(line, "m="):
			name()
			n, named = n+1, false
		case strings.HasPrefix(line, "a=mid:"):
			named = true
		}
		b.WriteString(line)
	}
	name()
	return b.String()
}
