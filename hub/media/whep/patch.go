package whep

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"crypto/rand"

	"github.com/pion/webrtc/v4"
)

// maxCandidates of one PATCH.
const maxCandidates = 64

// frag is a part of an SDP as candidates travel in it (RFC 8840).
type frag struct {
	ufrag, pwd string
	mid        string // of the first section
	candidates []string
}

// readFrag takes a fragment apart.
func readFrag(body string) (frag, error) {
	var f frag
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		value, ok := strings.CutPrefix(line, "a=")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(value, ":")
		switch {
		case key == "ice-ufrag" && f.ufrag == "":
			f.ufrag = value
		case key == "ice-pwd" && f.pwd == "":
			f.pwd = value
		case key == "mid" && f.mid == "":
			f.mid = value
		case key == "candidate":
			if len(f.candidates) == maxCandidates {
				return f, fmt.Errorf("more than %d candidates", maxCandidates)
			}
			f.candidates = append(f.candidates, key+":"+value)
		}
	}
	if err := lines.Err(); err != nil {
		return f, err
	}
	// RFC 8839 5.4: 4 and 22 characters at least, 256 at most, of a small alphabet.
	if !iceText(f.ufrag, 4) || !iceText(f.pwd, 22) {
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

// tag is the session's ICE, as ETag has it.
func (x *session) tag() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return `"` + x.etag + `"`
}

// patch takes candidates, or restarts ICE with what the browser has chosen.
func (x *session) patch(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, typeFrag)
	if err != nil {
		return err
	}
	f, err := readFrag(body)
	if err != nil {
		return offerFault(err)
	}
	x.patching.Lock()
	defer x.patching.Unlock()
	match := r.Header.Get("If-Match")
	ufrag, pwd := credentials(x.offer)
	again := f.ufrag != ufrag || f.pwd != pwd
	switch {
	case match == "":
		return conditionFault(http.StatusPreconditionRequired, "If-Match is missing")
	case match != "*" && match != x.tag():
		return conditionFault(http.StatusPreconditionFailed, "the session's ICE was restarted since")
	case again && match != "*":
		return conditionFault(http.StatusPreconditionFailed, "a restart of ICE is asked for with If-Match: *")
	case again:
		return x.restartICE(w, r, f)
	}
	for _, c := range f.candidates {
		x.candidate(c)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// candidate tells ICE of an address of the browser. Names of mDNS, and whatever it does
// not take, are no loss: the browser's checks show where they come from.
func (x *session) candidate(c string) {
	if err := x.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
		x.srv.log.Debug("a candidate was not taken", "session", x.id, "err", err)
	}
}

// restartICE answers with new credentials and the addresses of now.
func (x *session) restartICE(w http.ResponseWriter, r *http.Request, f frag) error {
	x.srv.refresh()
	offer := withCredentials(x.offer, f)
	answer, err := x.answer(r.Context(), offer)
	if err != nil {
		return err
	}
	x.offer = offer
	x.mu.Lock()
	x.etag = rand.Text()
	x.mu.Unlock()
	x.stat.restarts.Add(1)
	for _, c := range f.candidates {
		x.candidate(c)
	}
	h := w.Header()
	h.Set("Content-Type", typeFrag)
	h.Set("ETag", x.tag())
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, fragOf(answer)) // a page that has gone does not connect either
	return nil
}

// credentials of the first section of an SDP.
func credentials(text string) (ufrag, pwd string) {
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

// withCredentials is the offer with other credentials and without its old candidates.
func withCredentials(offer string, f frag) string {
	var b strings.Builder
	for line := range strings.Lines(offer) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			b.WriteString("a=ice-ufrag:" + f.ufrag + "\r\n")
		case strings.HasPrefix(line, "a=ice-pwd:"):
			b.WriteString("a=ice-pwd:" + f.pwd + "\r\n")
		case strings.HasPrefix(line, "a=candidate:"), strings.HasPrefix(line, "a=end-of-candidates"):
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// fragOf is what a restart is answered with: the credentials, and the candidates under
// the first section, since all are bundled (RFC 8840 9).
func fragOf(answer string) string {
	ufrag, pwd := credentials(answer)
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
