package config

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// mutation spoils one line and tells whether it could.
type mutation struct {
	name string
	do   func(r *rand.Rand, line string) (string, bool)
}

// keyLine is a line with a key of its own and maybe a plain value.
var keyLine = regexp.MustCompile(`^( *)([a-z_]+):( .*)?$`)

func mutations() []mutation {
	onKey := func(f func(r *rand.Rand, m []string) string) func(*rand.Rand, string) (string, bool) {
		return func(r *rand.Rand, line string) (string, bool) {
			m := keyLine.FindStringSubmatch(line)
			if m == nil {
				return "", false
			}
			out := f(r, m)
			return out, out != ""
		}
	}
	return []mutation{
		{"a letter of the key doubled", onKey(func(r *rand.Rand, m []string) string {
			i := r.IntN(len(m[2]))
			return m[1] + m[2][:i] + m[2][i:i+1] + m[2][i:] + ":" + m[3]
		})},
		{"a letter of the key changed to q", onKey(func(r *rand.Rand, m []string) string {
			i := r.IntN(len(m[2]))
			return m[1] + m[2][:i] + "q" + m[2][i+1:] + ":" + m[3]
		})},
		{"an unknown sign before the key", onKey(func(_ *rand.Rand, m []string) string { return m[1] + "%" + m[2] + ":" + m[3] })},
		{"a bracket that closes nothing", onKey(func(_ *rand.Rand, m []string) string { return m[1] + m[2] + ": ]" })},
		{"a tag", onKey(func(_ *rand.Rand, m []string) string { return m[1] + m[2] + ": !secret x" })},
		{"an unknown alias", onKey(func(_ *rand.Rand, m []string) string {
			if strings.TrimSpace(m[3]) == "" {
				return ""
			}
			return m[1] + m[2] + ": *nowhere"
		})},
		{"a control character", onKey(func(_ *rand.Rand, m []string) string { return m[1] + m[2] + ": a\x07b" })},
		{"a byte that is not UTF-8", onKey(func(_ *rand.Rand, m []string) string { return m[1] + m[2] + ": a\xffb" })},
		{"the line twice", onKey(func(_ *rand.Rand, m []string) string {
			if strings.TrimSpace(m[3]) == "" {
				return ""
			}
			return m[0] + "\n" + m[0]
		})},
	}
}

// goodBlock is a good file with one key a line, whose block keys are all known
// words, so that a spoilt line is wrong by itself.
func goodBlock(t testing.TB) string {
	t.Helper()
	c, problems := Parse("/house/porchlight.yaml", example(t), testOptions())
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	delete(c.Plugins, "mybell") // nobody here knows which keys its config and permissions have
	return "# é: a line of two-byte signs before all\n" + string(c.Effective())
}

// isID tells that a line opens an entry, whose name is the owner's choice.
func isID(lines []string, i int) bool {
	if strings.Index(lines[i], strings.TrimLeft(lines[i], " ")) != 2 {
		return false
	}
	for ; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "hub:") {
			return false
		}
		if regexp.MustCompile(`^(plugins|cameras|chimes):`).MatchString(lines[i]) {
			return true
		}
	}
	return false
}

// TestMutationsAreToldAtTheirLine spoils one line of a good file, 200 times over.
func TestMutationsAreToldAtTheirLine(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	good := goodBlock(t)
	lines := strings.Split(strings.TrimSpace(good), "\n")
	own, opts := ownSchema(), testOptions()
	for n := 0; n < 200; {
		i := r.IntN(len(lines))
		m := mutations()[r.IntN(len(mutations()))]
		spoilt, ok := m.do(r, lines[i])
		if !ok || spoilt == lines[i] || isID(lines, i) {
			continue
		}
		n++
		src := strings.Join(slices.Concat(lines[:i], []string{spoilt}, lines[i+1:]), "\n")
		want := i + 1 + strings.Count(spoilt, "\n")
		c, problems := parseWith(own, "porchlight.yaml", []byte(src), opts)
		if c != nil || !slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error && p.Line == want }) {
			t.Errorf("%s in line %d: %q: told\n%s", m.name, want, spoilt, Text(problems, ""))
		}
	}
}

// TestMutationsNeverPanic takes anything out and puts anything in.
func TestMutationsNeverPanic(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	good := example(t)
	bits := []string{"\t", "- ", ": ", "{", "}", "[", "]", "\"", "'", "&a ", "*a", "!!str ", "|", ">", "\n", "#", "? ", "---\n", "%", "@", "<<: ", ",", "\r", "\xff", "é", "0x", "~"}
	own, opts := ownSchema(), testOptions()
	for range 200 {
		src := string(good)
		for range 1 + r.IntN(4) {
			i := r.IntN(len(src))
			j := min(len(src), i+r.IntN(12))
			src = src[:i] + bits[r.IntN(len(bits))] + src[j:]
		}
		c, problems := parseWith(own, "porchlight.yaml", []byte(src), opts)
		if n, _ := Count(problems); (c == nil) != (n > 0) {
			t.Errorf("a configuration and %d errors:\n%s", n, src)
		}
	}
}

// TestOneWrongLetterSuggestsTheKey goes through every key of the format.
func TestOneWrongLetterSuggestsTheKey(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	root, faults := tree.Read("x", goodBlock(t)+"\n")
	if root == nil {
		t.Fatal(faults)
	}
	own, opts := ownSchema(), testOptions()
	tried := 0
	var walk func(n *tree.Node, path []string)
	walk = func(n *tree.Node, path []string) {
		for i, e := range n.Entries {
			owners := len(path) == 1 && slices.Contains([]string{"plugins", "cameras", "chimes"}, path[0])
			if !owners {
				tried++
				at := r.IntN(len(e.Key))
				wrong := e.Key[:at] + "q" + e.Key[at+1:]
				spoilt := *n
				spoilt.Entries = slices.Clone(n.Entries)
				spoilt.Entries[i].Key = wrong
				src := tree.Write(replace(root, path, &spoilt), nil)
				_, problems := parseWith(own, "x", src, opts)
				if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == "E-CFG-UNKNOWN-KEY" && p.Suggestion == e.Key }) {
					t.Errorf("%s.%s is not told to be %s:\n%s", strings.Join(path, "."), wrong, e.Key, Text(problems, ""))
				}
			}
			walk(e.Value, append(slices.Clone(path), e.Key))
		}
	}
	walk(root, nil)
	if tried < 60 {
		t.Errorf("only %d keys were tried", tried)
	}
}

// replace gives a copy of a tree with another block at path.
func replace(n *tree.Node, path []string, by *tree.Node) *tree.Node {
	if len(path) == 0 {
		return by
	}
	out := *n
	out.Entries = slices.Clone(n.Entries)
	for i := range out.Entries {
		if out.Entries[i].Key == path[0] {
			out.Entries[i].Value = replace(out.Entries[i].Value, path[1:], by)
		}
	}
	return &out
}

// TestHostileText: each is refused with a place or works, quickly and small.
func TestHostileText(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 10))
	}
	steps := ""
	for i := range 1000 {
		steps += strings.Repeat(" ", i) + "a:\n"
	}
	for name, c := range map[string]struct{ src, code string }{
		"nothing":                {"", "E-CFG-EMPTY"},
		"comments only":          {"# x\n", "E-CFG-EMPTY"},
		"a separator only":       {"---\n", "E-CFG-EMPTY"},
		"null":                   {"null\n", "E-CFG-EMPTY"},
		"a text":                 {"hello\n", "E-CFG-TYPE"},
		"a list":                 {"- a\n", "E-CFG-TYPE"},
		"two documents":          {"version: 1\n---\nversion: 1\n", "E-CFG-DOCUMENTS"},
		"one document":           {"---\nversion: 1\n...\n", ""},
		"huge":                   {strings.Repeat("# long\n", 200_000), "E-CFG-TOO-LARGE"},
		"deep brackets":          {"version: 1\nx: " + strings.Repeat("[", 500_000), "E-CFG-TOO-DEEP"},
		"deep braces":            {strings.Repeat("{a: ", 100_000), "E-CFG-TOO-DEEP"},
		"deep dashes":            {"x:\n" + strings.Repeat("- ", 200_000) + "a", "E-CFG-TOO-DEEP"},
		"deep question marks":    {strings.Repeat("? ", 200_000) + "a", "E-CFG-TOO-DEEP"},
		"deep blocks":            {steps, "E-CFG-TOO-DEEP"},
		"many tags":              {"x: " + strings.Repeat("!!str ", 100_000) + "a", ""},
		"many anchors":           {"x: " + strings.Repeat("&a ", 100_000) + "a", ""},
		"alias bomb":             {bomb, "E-CFG-TOO-DEEP"},
		"alias to itself":        {"version: 1\nplugins: &p\n  x: *p\n", "E-CFG-ALIAS"},
		"alias to nothing":       {"version: 1\nhub: *h\n", "E-CFG-ALIAS"},
		"UTF-16":                 {"\xff\xfev\x00e\x00", "E-CFG-ENCODING"},
		"Latin-1":                {"version: 1\nhub: {name: Stra\xdfe}\n", "E-CFG-ENCODING"},
		"NUL":                    {"version: 1\x00\n", "E-CFG-ENCODING"},
		"BOM":                    {"\ufeffversion: 1\n", ""},
		"CRLF":                   {"version: 1\r\nhub:\r\n  name: Elm\r\n", ""},
		"old Mac":                {"version: 1\rhub: {name: Elm}\r", ""},
		"no newline":             {"version: 1", ""},
		"a key that is a list":   {"[a]: b\n", "E-CFG-SYNTAX"},
		"infinite":               {"version: .inf\n", "E-CFG-TYPE"},
		"long key":               {strings.Repeat("k", 100_000) + ": 1\n", "E-CFG-UNKNOWN-KEY"},
		"long line":              {"version: 1\nhub: {name: \"" + strings.Repeat("n", 100_000) + "\"}\n", "E-CFG-VALUE"},
		"many unknown keys":      {many("k%d: 1\n", 80_000), "E-CFG-TOO-LARGE"},
		"many equal keys":        {"version: 1\n" + strings.Repeat("hub:\n", 3_000), "E-CFG-DUPLICATE-KEY"},
		"many bad kinds":         {"version: 1\ncameras:\n" + many("  c%d: x\n", 3_000), "E-CFG-TYPE"},
		"many bad plugins":       {"version: 1\ncameras:\n" + many("  c%d: {plugin: x}\n", 3_000), "E-CFG-UNKNOWN-PLUGIN"},
		"a long quoted text":     {"version: 1\nhub: {name: \"" + strings.Repeat("\\n a", 200_000) + "\"}\n", "E-CFG-VALUE"},
		"a long block text":      {"version: 1\nhub:\n  name: |\n" + strings.Repeat("    text\n", 100_000), "E-CFG-VALUE"},
		"a long folded text":     {"version: 1\nhub:\n  name: >\n" + strings.Repeat("    text\n\n", 80_000), "E-CFG-VALUE"},
		"a long plain text":      {"version: 1\nhub:\n  name: a\n" + strings.Repeat("    text\n", 100_000), "E-CFG-VALUE"},
		"a long list":            {"version: 1\nhub: {plugin_path: [" + strings.Repeat("a,", 90_000) + "]}\n", "E-CFG-TOO-LARGE"},
		"a long block list":      {"version: 1\nhub:\n  plugin_path:\n" + strings.Repeat("  - a\n", 90_000), "E-CFG-TOO-LARGE"},
		"many comments":          {"version: 1\n" + strings.Repeat("# x\n", 200_000), ""},
		"many empty lines":       {"version: 1\n" + strings.Repeat("\n", 1_000_000), ""},
		"many spaces":            {"version: 1\nhub: " + strings.Repeat(" ", 1_000_000) + "{}\n", ""},
		"a list of 20,000":       {"version: 1\nhub: {plugin_path: [" + strings.Repeat("a,", 20_000) + "]}\n", ""},
		"a list of 20,000 lines": {"version: 1\nhub:\n  plugin_path:\n" + strings.Repeat("  - a\n", 20_000), ""},
		"many errors":            {"version: 1\n" + many("k%d: 1\n", 3000), "E-CFG-UNKNOWN-KEY"},
		"many cameras":           {"version: 1\ncameras:\n" + many("  c%d: {plugin: demo}\n", 1000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got, problems := Parse("porchlight.yaml", []byte(c.src), testOptions())
			t.Logf("%d bytes in %s", len(c.src), time.Since(start).Round(time.Microsecond))
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || len(p.Excerpt) > 1200 || len(p.Message) > 600 {
					t.Errorf("place %d:%d, excerpt of %d, message of %d bytes", p.Line, p.Column, len(p.Excerpt), len(p.Message))
				}
			}
			if len(problems) > maxProblems {
				t.Errorf("%d problems", len(problems))
			}
			switch {
			case c.code == "" && strings.HasPrefix(name, "many ") && got == nil:
				if n, _ := Count(problems); n == 0 {
					t.Error("no configuration and no error")
				}
			case c.code == "" && got == nil:
				t.Error(Text(problems, ""))
			case c.code != "" && !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == c.code }):
				t.Errorf("not told as %s:\n%.500s", c.code, Text(problems, ""))
			}
		})
	}
}

func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestHostileSchemas: a plugin's schema is a stranger's text too.
func TestHostileSchemas(t *testing.T) {
	src := []byte("version: 1\nplugins:\n  demo: {builtin: demo, config: {a: {a: {a: 1}}}}\n")
	for name, schema := range map[string]string{
		"no JSON":          `{`,
		"a number":         `7`,
		"reads a file":     `{"$ref": "file:///etc/hostname"}`,
		"asks the network": `{"$ref": "https://example.org/x.json"}`,
		"bad pattern":      `{"properties": {"a": {"pattern": "("}}}`,
		"huge":             `{"description": "` + strings.Repeat("x", 300<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			opts := testOptions()
			opts.Schemas = map[string]PluginSchema{"demo": {Config: json.RawMessage(schema)}}
			c, problems := Parse("porchlight.yaml", src, opts)
			if c == nil || len(problems) != 1 || problems[0].Code != "E-CFG-PLUGIN-SCHEMA" || problems[0].Severity != Warning {
				t.Error(Text(problems, ""))
			}
		})
	}
	t.Run("refers to itself", func(t *testing.T) {
		opts := testOptions()
		opts.Schemas = map[string]PluginSchema{"demo": {Config: json.RawMessage(`{"type": "object", "additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "integer"}]}}`)}}
		if c, problems := Parse("porchlight.yaml", src, opts); c == nil {
			t.Error(Text(problems, ""))
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(string(example(f)))
	f.Add(DemoYAML())
	for _, seed := range []string{
		"version: 1\nhub: {name: \"a\n b\"}\n", "a: &a [*a]\n", "a: |\n  x\n y\n", "? a\n: b\n", "<<: {a: b}\n", "a: !!binary x\n",
		"- - - a\n", "version: 1\r\nhub:\r\n\tname: x\r\n", "a: 'b''c'\n", "a: \"\\u0041\\x41\"\n", "{a: b, c}\n", "%YAML 1.2\n---\na: b\n",
		"password: >-\n  x\n  y\nversion: q\n", "hub: {password: rtsp://u:p@h/, nme: x}\n",
	} {
		f.Add(seed)
	}
	own := ownSchema()
	opts := testOptions()
	f.Fuzz(func(t *testing.T, src string) {
		c, problems := parseWith(own, "porchlight.yaml", []byte(src), opts)
		lines := strings.Count(strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n"), "\n") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" || p.Code == "" {
				t.Errorf("a problem without its place: %+v", p)
			}
			if strings.ContainsFunc(p.Message+p.Path+strings.ReplaceAll(p.Excerpt, "\n", ""), unicode.IsControl) {
				t.Errorf("a problem that moves the cursor: %q", p)
			}
		}
		if n, _ := Count(problems); (c == nil) != (n > 0) {
			t.Errorf("configuration %t, errors %d", c != nil, n)
		}
		if c == nil {
			return
		}
		again, problems := parseWith(own, "porchlight.yaml", c.Effective(), opts)
		if again == nil {
			t.Fatalf("what is shown does not read back:\n%s\n%s", c.Effective(), Text(problems, ""))
		}
	})
}

// TestMutationsNeverLeak puts signs anywhere but into the lines that hold the
// secrets; whatever is then told, no secret is shown.
func TestMutationsNeverLeak(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	good := `version: 1
plugins:
  mybell:
    path: ./x
    config:
      servers:
        - {host: a, token: hunter1}
        - host: b
          secret_word: >-
            hunter2
            hunter3
      door_code: x
cameras:
  a:
    plugin: demo
    source:
      address: 10.0.0.1
      password: "hunter4
        hunter5 # hunter6"
      username: me # hunter7
  b: {plugin: demo, source: {password: 'hunter8', url: "rtsp://me:hunter9@host/x"}, ring: {debounce: 3s}}
`
	if c, problems := Parse("x", []byte(good), testOptions()); c == nil {
		t.Fatal(Text(problems, ""))
	}
	bits := []string{"\t", "- ", ": ", "{", "}", "[", "]", "\"", "'", "&a ", "*a ", "!x ", "|", "\n", "? ", "%", "q", " ", "\x01", "\xff", "é", "\u202e"}
	lines := strings.Split(good, "\n")
	own, opts := ownSchema(), testOptions()
	for n := 0; n < 600; {
		spoilt := slices.Clone(lines)
		i := r.IntN(len(lines))
		if strings.Contains(lines[i], "hunter") || lines[i] == "" {
			continue
		}
		n++
		at := r.IntN(len(lines[i]))
		spoilt[i] = lines[i][:at] + bits[r.IntN(len(bits))] + lines[i][at:]
		_, problems := parseWith(own, "x", []byte(strings.Join(spoilt, "\n")), opts)
		if told := Text(problems, ""); strings.Contains(told, "hunter") {
			t.Errorf("%q:\n%s", spoilt[i], told)
		}
	}
}
