package tree

import (
	"encoding/json"
	"strings"
	"testing"
)

func read(t *testing.T, src string) *Node {
	t.Helper()
	normal, faults := Normal("f", []byte(src))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	n, faults := Read("f", normal)
	if n == nil {
		t.Fatal(faults)
	}
	return n
}

func TestPlaces(t *testing.T) {
	n := read(t, "\ufeffa: 1\r\nb:\r\n  - x\r\n  - {c: é, d: \"e\"}\r\n  -\r\n    f: |\r\n      text\r\ng: {}\r\n")
	for _, c := range []struct {
		what string
		got  Position
		line int
		col  int
	}{
		{"a", n.Get("a").Pos, 1, 4},
		{"b", n.Entry("b").Pos, 2, 1},
		{"x", n.Get("b").Items[0].Pos, 3, 5},
		{"c", n.Get("b").Items[1].Entry("c").Pos, 4, 6},
		{"d after a two-byte letter", n.Get("b").Items[1].Entry("d").Pos, 4, 12},
		{"e", n.Get("b").Items[1].Get("d").Pos, 4, 15},
		{"f", n.Get("b").Items[2].Entry("f").Pos, 6, 5},
		{"g", n.Entry("g").Pos, 8, 1},
	} {
		if c.got.Line != c.line || c.got.Column != c.col {
			t.Errorf("%s: %v, want %d:%d", c.what, c.got, c.line, c.col)
		}
	}
}

func TestValues(t *testing.T) {
	n := read(t, `{s: text, q: "1", i: 12, f: 1.5, e: 1.5e3, neg: -3, code: 007, t: true, n: null, tilde: ~, no: no, str: !!str 12, l: [1, [2]], "k 1": v, 5: five}`)
	got, err := json.Marshal(n.Plain())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"5":"five","code":"007","e":1500,"f":1.5,"i":12,"k 1":"v","l":[1,[2]],"n":null,"neg":-3,"no":"no","q":"1","s":"text","str":"12","t":true,"tilde":null}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestWriteReadsBack: whatever a value is, what is written is read as the same.
func TestWriteReadsBack(t *testing.T) {
	texts := []string{"", " ", "a", "a b", "yes", "null", "~", "1", "1.5", "007", "0x1F", "12:30", "10m", "- a", "a: b", "#", "a #b", "'", "\"", "\\", "a\nb", "é", "\t", "***",
		"{", "[", "!x", "&x", "*x", "%", "@", "1_000", "2026-11-24", "=", "<<", "./a", "/a", "http://x/?a=b#c", ".", "-", "---", "...", "\u2028", "\x01", "NaN", ".inf", "a,b", "a ", "127.0.0.1:1"}
	for _, s := range texts {
		v := &Node{Kind: Text, Text: s}
		block := &Node{Kind: Map, Entries: []Entry{
			{Key: s, Value: v},
			{Key: "k", Value: &Node{Kind: List, Items: []*Node{v, {Kind: List, Items: []*Node{v}}}}},
			{Key: "m", Value: &Node{Kind: List, Items: []*Node{{Kind: Map, Entries: []Entry{{Key: s, Value: v}}}}}},
		}}
		wrote := Write(block, nil)
		normal, faults := Normal("f", wrote)
		again, more := Read("f", normal)
		if again == nil {
			t.Errorf("%q: %v %v\n%s", s, faults, more, wrote)
			continue
		}
		a, _ := json.Marshal(block.Plain())
		b, _ := json.Marshal(again.Plain())
		if string(a) != string(b) {
			t.Errorf("%q:\nwrote %s\nread  %s\n%s", s, a, b, wrote)
		}
	}
}

func TestExcerptKeepsTheCaretUnderItsWord(t *testing.T) {
	src := "a: {password: a very long secret, kind: x, token: \"q\", é: y} # note\n"
	n := read(t, src)
	n.HideSecrets()
	p := NewPage("f", src, n, func(string) bool { return true })
	got := p.Excerpt(n.Get("a").Entry("kind").Pos, 4)
	want := "    1 | a: {password: ******, kind: x, token: ******, é: y}\n      |                       ^^^^"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	src = "a: {kind: x, token: y} # off, or: {on}\n"
	n = read(t, src)
	n.HideSecrets()
	if got := NewPage("f", src, n, nil).Masked(); got != "a: {kind: x, token: ******}\n" {
		t.Errorf("behind a secret the comment stays: %q", got)
	}
	src = "long: " + strings.Repeat("x", 300) + "\n"
	n = read(t, src)
	p = NewPage("f", src, n, nil)
	long := p.Excerpt(n.Get("long").Pos, 300)
	for line := range strings.SplitSeq(long, "\n") {
		if len([]rune(line)) > maxExcerpt+12 {
			t.Errorf("a line of %d characters", len(line))
		}
	}
	if p.Excerpt(Position{Line: 99, Column: 1}, 1) != "" {
		t.Error("an excerpt of no line")
	}
}

func TestUnreadLinesAreMasked(t *testing.T) {
	known := func(k string) bool { return strings.Contains("|name|listen|password|", "|"+k+"|") }
	for line, want := range map[string]string{
		"  name: Elm":              "  name: Elm",
		"  name Elm":               "  name Elm",
		"  nmae: Elm":              "  nmae: ******",
		"  password: x":            "  password: ******",
		"  password x":             "  ******",
		"  hunter2":                "  ******",
		"  - hunter2":              "  - ******",
		"  name: {password: x":     "  name: ******",
		"  name: rtsp://u:p@h":     "  name: ******",
		"  listen: a # hunter2":    "  listen: ******",
		"  # hunter2":              "  ",
		"  listen:":                "  listen:",
		"  a key of words: hunter": "  ******",
		"":                         "",
	} {
		if got := maskUnread(line, known); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestSecretKeys(t *testing.T) {
	for _, k := range []string{"password", "Password", "db_passwd", "api_key", "apiKey", "token", "access-token", "client_secret", "pin", "setup_code", "sign_with", "private_key", "auth"} {
		if !SecretKey(k) {
			t.Errorf("%s is shown", k)
		}
	}
	for _, k := range []string{"name", "path", "listen", "keyboard", "passage", "spinning", "author", "monkey", "plugin_path"} {
		if SecretKey(k) {
			t.Errorf("%s is hidden", k)
		}
	}
}

func TestFromJSONRefuses(t *testing.T) {
	for _, s := range []string{"", "{", "[1,]", "{} {}", strings.Repeat("[", 100_000), `{"a"}`} {
		if n, err := FromJSON([]byte(s)); err == nil {
			t.Errorf("%.20q was taken as %v", s, n)
		}
	}
}
