package sdp

import (
	"bytes"
	"strconv"
	"strings"
)

// line is one "x=value".
type line struct {
	key   byte
	value string
}

// attribute is the name and the value of an a= line; the name is in small letters.
func (l line) attribute() (name, value string) {
	if l.key != 'a' {
		return "", ""
	}
	name, value, _ = strings.Cut(l.value, ":")
	return strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
}

// section is one m= line and what stands below it.
type section struct {
	kind, port, proto string
	types             []string
	lines             []line
}

// text is a description taken apart into its lines, without judging them.
type text struct {
	session  []line
	sections []*section
}

// split takes a description apart. It wants no more than lines of the form x=value; what is
// not of that form is left out.
func split(body []byte) *text {
	t := new(text)
	body = bytes.ReplaceAll(body, []byte{'\r'}, []byte{'\n'})
	for raw := range bytes.SplitSeq(body, []byte{'\n'}) {
		s := strings.ToValidUTF8(strings.Trim(string(raw), "\x00\t "), "")
		if len(s) < 2 || s[1] != '=' || s[0] < 'a' || s[0] > 'z' {
			continue
		}
		l := line{s[0], strings.ReplaceAll(s[2:], "\x00", "")}
		switch {
		case l.key == 'm' && len(t.sections) < maxSections:
			f := strings.Fields(l.value)
			for len(f) < 3 {
				f = append(f, "")
			}
			t.sections = append(t.sections, &section{kind: f[0], port: f[1], proto: f[2], types: f[3:]})
		case len(t.sections) == 0:
			t.session = append(t.session, l)
		case l.key != 'm':
			s := t.sections[len(t.sections)-1]
			if len(s.lines) < maxLines {
				s.lines = append(s.lines, l)
			}
		}
	}
	return t
}

// join writes the description with some of its sections.
func (t *text) join(sections ...*section) []byte {
	var b bytes.Buffer
	put := func(l line) {
		b.WriteByte(l.key)
		b.WriteByte('=')
		b.WriteString(l.value)
		b.WriteString("\r\n")
	}
	for _, l := range t.session {
		put(l)
	}
	for _, s := range sections {
		put(line{'m', strings.Join(append([]string{s.kind, s.port, s.proto}, s.types...), " ")})
		for _, l := range s.lines {
			put(l)
		}
	}
	return b.Bytes()
}

// get is the value of the first attribute of that name.
func (s *section) get(name string) (string, bool) {
	for _, l := range s.lines {
		if n, v := l.attribute(); l.key == 'a' && n == name {
			return v, true
		}
	}
	return "", false
}

// of gives what an attribute such as rtpmap says of a payload type: its place in lines and
// the text behind the number.
func (s *section) of(name, typ string) (at int, value string, ok bool) {
	for i, l := range s.lines {
		if n, v := l.attribute(); l.key == 'a' && n == name {
			head, rest, _ := strings.Cut(v, " ")
			if strings.TrimSpace(head) == typ {
				return i, strings.TrimSpace(rest), true
			}
		}
	}
	return -1, "", false
}

// set writes an attribute of a payload type.
func (s *section) set(name, typ, value string) {
	l := line{'a', name + ":" + typ + " " + value}
	if i, _, ok := s.of(name, typ); ok {
		s.lines[i] = l
		return
	}
	s.lines = append(s.lines, l)
}

// codec is the name, clock and channels of a payload type, as its rtpmap says.
func (s *section) codec(typ string) (name string, clock int, rest string) {
	_, v, _ := s.of("rtpmap", typ)
	name, v, _ = strings.Cut(v, "/")
	hz, rest, _ := strings.Cut(v, "/")
	clock, _ = strconv.Atoi(strings.TrimSpace(hz))
	return strings.ToLower(strings.TrimSpace(name)), clock, strings.TrimSpace(rest)
}

// parameters of a payload type in their order; keys in small letters.
type parameters [][2]string

func (s *section) fmtp(typ string) parameters {
	_, v, _ := s.of("fmtp", typ)
	var out parameters
	for kv := range strings.SplitSeq(v, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(kv), "=")
		if key = strings.ToLower(strings.TrimSpace(key)); key != "" && len(out) < maxParameters {
			out = append(out, [2]string{key, strings.TrimSpace(value)})
		}
	}
	return out
}

func (p parameters) get(key string) (string, bool) {
	for _, kv := range p {
		if kv[0] == key {
			return kv[1], true
		}
	}
	return "", false
}

func (p parameters) set(key, value string) parameters {
	for i, kv := range p {
		if kv[0] == key {
			p[i][1] = value
			return p
		}
	}
	return append(p, [2]string{key, value})
}

func (p parameters) without(key string) parameters {
	out := p[:0:0]
	for _, kv := range p {
		if kv[0] != key {
			out = append(out, kv)
		}
	}
	return out
}

func (p parameters) String() string {
	s := make([]string, len(p))
	for i, kv := range p {
		s[i] = kv[0] + "=" + kv[1]
	}
	return strings.Join(s, "; ")
}
