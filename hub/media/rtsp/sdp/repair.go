package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// repair mends one break; it reports whether it had to.
type repair struct {
	name string
	mend func(*text) bool
}

// repairs in the order in which they are tried.
func repairs() []repair {
	return []repair{
		{"version", mendVersion},
		{"origin", mendOrigin},
		{"strays", dropStrays},
		{"attributes", dropAttributes},
		{"proto", mendProto},
		{"other_track", moveParameters},
		{"kinds", mendKinds},
		{"types", mendTypes},
		{"static_type", mendStaticTypes},
		{"clock", mendClocks},
		{"sprop", mendParameterSets},
		{"aac", mendAAC},
		{"latm", mendLATM},
		{"opus", mendOpus},
		{"sendonly", mendDirection},
	}
}

// mendVersion: the first line says v=0 and no other does (RFC 8866 5.1).
func mendVersion(t *text) bool {
	if len(t.session) > 0 && t.session[0] == (line{'v', "0"}) {
		return false
	}
	t.session = slices.DeleteFunc(t.session, func(l line) bool { return l.key == 'v' })
	t.session = slices.Insert(t.session, 0, line{'v', "0"})
	return true
}

// mendOrigin: nothing here needs to know who made the session, and cameras write it in many
// ways ("o= 0 0", "IP IP4", none).
func mendOrigin(t *text) bool {
	sound := line{'o', "- 0 0 IN IP4 0.0.0.0"}
	found, broken := false, false
	for i, l := range t.session {
		if l.key == 'o' {
			f := strings.Fields(l.value)
			broken = broken || len(f) != 6 || f[3] != "IN" || !strings.HasPrefix(f[4], "IP")
			t.session[i], found = sound, true
		}
	}
	if !found {
		t.session = slices.Insert(t.session, min(1, len(t.session)), sound)
	}
	return broken
}

// dropStrays leaves out lines that say nothing we use and that cameras write wrongly or in
// the wrong place: a second s=, c=IN without an address, b= of odd kinds, t=now-.
func dropStrays(t *text) bool {
	odd, names := false, 0
	keep := func(l line) bool { return l.key == 'v' || l.key == 'o' || l.key == 'a' }
	for _, l := range t.session {
		if l.key == 's' {
			names++
		}
		odd = odd || l.key == 'c' && len(strings.Fields(l.value)) != 3 || l.key == 't' && len(strings.Fields(l.value)) != 2
	}
	odd = odd || names != 1
	t.session = slices.DeleteFunc(t.session, func(l line) bool { return !keep(l) })
	t.session = append(t.session, line{'s', "-"}, line{'t', "0 0"})
	for _, s := range t.sections {
		s.lines = slices.DeleteFunc(s.lines, func(l line) bool {
			odd = odd || strings.IndexByte("voszt", l.key) >= 0
			return l.key != 'a'
		})
	}
	return odd
}

// dropAttributes leaves out what is of no use here and can be wrong: ids of streams, groups,
// keys, fingerprints.
func dropAttributes(t *text) bool {
	odd := false
	drop := func(l line) bool {
		name, value := l.attribute()
		switch name {
		case "control", "rtpmap", "fmtp", "sendonly", "recvonly", "sendrecv", "inactive", "framerate", "range":
			return false
		case "mid", "group", "key-mgmt":
			odd = odd || value == "" || len(value) > 64 || strings.ContainsAny(value, "-_: ")
		}
		return l.key == 'a'
	}
	t.session = slices.DeleteFunc(t.session, drop)
	for _, s := range t.sections {
		s.lines = slices.DeleteFunc(s.lines, drop)
	}
	return odd
}

// mendProto: whatever the line calls it, it is RTP, over what SETUP agrees on; only whether
// it is encrypted matters.
func mendProto(t *text) bool {
	odd := false
	for _, s := range t.sections {
		want := "RTP/AVP"
		if strings.Contains(strings.ToUpper(s.proto), "SAVP") {
			want = "RTP/SAVP"
		}
		if n, err := strconv.Atoi(s.port); err != nil || n < 0 || n > 65535 {
			s.port, odd = "0", true
		}
		odd = odd || s.proto != want && s.proto != want+"/TCP"
		s.proto = want
	}
	return odd
}

// moveParameters brings rtpmap and fmtp that stand below another stream to their own: they
// belong where the payload type is listed.
func moveParameters(t *text) bool {
	moved := false
	for _, s := range t.sections {
		s.lines = slices.DeleteFunc(s.lines, func(l line) bool {
			name, value := l.attribute()
			if name != "fmtp" && name != "rtpmap" {
				return false
			}
			typ, rest, _ := strings.Cut(value, " ")
			if slices.Contains(s.types, typ) {
				return false
			}
			for _, o := range t.sections {
				if _, _, has := o.of(name, typ); o != s && slices.Contains(o.types, typ) && !has {
					o.set(name, typ, rest)
					moved = true
					return true
				}
			}
			return false
		})
	}
	return moved
}

// mendKinds leaves out streams of data (m=vana, m=application/…, m=metadata), which nobody
// asks for and which often lack what a stream must say; where the codec says that it is
// picture or sound, the kind follows the codec.
func mendKinds(t *text) bool {
	odd := false
	t.sections = slices.DeleteFunc(t.sections, func(s *section) bool {
		if s.kind == "video" || s.kind == "audio" {
			return false
		}
		odd = odd || s.kind != "application"
		for _, typ := range s.typesOrMaps() {
			name, _, _ := s.codec(typ)
			if kind := kindOf(name); kind != "" {
				s.kind = kind
				return false
			}
		}
		return true
	})
	return odd
}

func kindOf(codec string) string {
	switch codec {
	case "h264", "h265", "hevc", "jpeg":
		return "video"
	case "mpeg4-generic", "mp4a-latm", "opus", "pcmu", "pcma", "l16":
		return "audio"
	}
	return ""
}

// typesOrMaps lists the payload types, or where there are none those that rtpmap describes.
func (s *section) typesOrMaps() []string {
	if len(s.types) > 0 {
		return s.types
	}
	var out []string
	for _, l := range s.lines {
		if name, v := l.attribute(); name == "rtpmap" {
			typ, _, _ := strings.Cut(v, " ")
			out = append(out, typ)
		}
	}
	return out
}

// mendTypes: payload types are numbers, and there is at least one. One that nothing
// describes takes over the only description that fits nowhere else.
func mendTypes(t *text) bool {
	odd := false
	for _, s := range t.sections {
		had := len(s.types)
		s.types = slices.DeleteFunc(s.types, func(typ string) bool {
			n, err := strconv.Atoi(typ)
			return err != nil || n < 0 || n > 127
		})
		odd = odd || len(s.types) != had
		maps := (&section{lines: s.lines}).typesOrMaps()
		if len(s.types) == 0 {
			s.types, odd = maps, true
		}
		if len(s.types) == 1 && len(maps) == 1 && s.types[0] != maps[0] && isDynamic(s.types[0]) {
			for _, name := range []string{"rtpmap", "fmtp"} {
				if i, v, ok := s.of(name, maps[0]); ok {
					s.lines[i], odd = line{'a', name + ":" + s.types[0] + " " + v}, true
				}
			}
		}
	}
	return odd
}

func isDynamic(typ string) bool {
	n, err := strconv.Atoi(typ)
	return err == nil && n >= 96
}

// statics are the payload types that have a meaning without rtpmap (RFC 3551 6) and are
// carried here.
func static(typ string) (codec string, clock int, ok bool) {
	switch typ {
	case "0":
		return "pcmu", 8000, true
	case "8":
		return "pcma", 8000, true
	case "10", "11":
		return "l16", 44100, true
	case "26":
		return "jpeg", 90000, true
	}
	return "", 0, false
}

// mendStaticTypes gives a number of the dynamic range to what a camera calls by a static
// one, such as AAC by 0 or 48 kHz PCM by 11; and to JPEG its only number, 26. What number
// the packets bear does not matter, since one stream is one channel.
func mendStaticTypes(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for i, typ := range s.types {
			name, clock, rest := s.codec(typ)
			if name == "" {
				continue
			}
			if name == "pcm" {
				name = "l16"
			}
			known, hz, isStatic := static(typ)
			switch {
			case name == "jpeg" && typ != "26":
				s.renumber(i, "26")
			case isStatic && (name != known || clock != hz && clock > 0), !isStatic && !isDynamic(typ) && kindOf(name) != "":
				to := strconv.Itoa(96 + i)
				s.renumber(i, to)
				if clock > 0 && kindOf(name) == "audio" {
					s.set("rtpmap", to, strings.Trim(name+"/"+strconv.Itoa(clock)+"/"+rest, "/"))
				}
			default:
				continue
			}
			odd = true
		}
	}
	return odd
}

// renumber changes the number of the payload type at i.
func (s *section) renumber(i int, to string) {
	from := s.types[i]
	for _, name := range []string{"rtpmap", "fmtp"} {
		if at, v, ok := s.of(name, from); ok {
			s.lines[at] = line{'a', name + ":" + to + " " + v}
		}
	}
	s.types[i] = to
}

// mendClocks: video is said to run at 90 kHz, by one spelling of its codec (RFC 6184 8.2.1);
// what a camera says otherwise Read remembers as the clock of its packets.
func mendClocks(t *text) bool {
	odd := false
	for _, s := range t.sections {
		for _, typ := range s.types {
			name, clock, rest := s.codec(typ)
			_, raw, _ := s.of("rtpmap", typ)
			switch name {
			case "hevc":
				s.set("rtpmap", typ, "H265/90000")
				odd = true
			case "h264", "h265", "jpeg":
				if clock != 90000 || rest != "" || strings.ContainsAny(raw, " \t") {
					s.set("rtpmap", typ, strings.ToUpper(name)+"/90000")
					odd = odd || clock != 90000
				}
			}
		}
	}
	return odd
}

// mendDirection: pictures never go to the camera, and the only sound is the camera's; some
// say sendonly and mean themselves.
func mendDirection(t *text) bool {
	odd, sounds := false, 0
	for _, s := range t.sections {
		if s.kind == "audio" {
			sounds++
		}
	}
	for _, s := range t.sections {
		if _, ok := s.get("sendonly"); ok && (s.kind == "video" || sounds == 1) {
			s.lines = slices.DeleteFunc(s.lines, func(l line) bool { n, _ := l.attribute(); return n == "sendonly" })
			odd = true
		}
	}
	return odd
}
