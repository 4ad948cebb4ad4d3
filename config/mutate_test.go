package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/porchlight-hub/porchlight/config/files"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// mutation spoils one line and tells at which column, empty if it cannot.
type mutation struct {
	name string
	do   func(r *rand.Rand, l keyed) (spoilt string, column int)
}

// keyed is a line with a key of its own and maybe a plain value.
type keyed struct{ indent, key, value string }

// keyAt and valueAt are the columns of the two, from 1.
func (l keyed) keyAt() int   { return len(l.indent) + 1 }
func (l keyed) valueAt() int { return len(l.indent) + len(l.key) + 3 }

// with is the line with another value.
func (l keyed) with(value string) string { return l.indent + l.key + ": " + value }

var keyLine = regexp.MustCompile(`^( *)([a-z_]+):(?: (.*))?$`)

func mutations() []mutation {
	key := func(f func(r *rand.Rand, key string) string) func(*rand.Rand, keyed) (string, int) {
		return func(r *rand.Rand, l keyed) (string, int) {
			at := l.keyAt()
			l.key = f(r, l.key)
			return l.with(l.value), at
		}
	}
	value := func(text string, more int) func(*rand.Rand, keyed) (string, int) {
		return func(_ *rand.Rand, l keyed) (string, int) { return l.with(text), l.valueAt() + more }
	}
	leaf := func(f func(l keyed) (string, int)) func(*rand.Rand, keyed) (string, int) {
		return func(_ *rand.Rand, l keyed) (string, int) {
			if l.value == "" {
				return "", 0
			}
			return f(l)
		}
	}
	return []mutation{
		{"a letter of the key doubled", key(func(r *rand.Rand, key string) string {
			i := r.IntN(len(key))
			return key[:i] + key[i:i+1] + key[i:]
		})},
		{"a letter of the key changed to q", key(func(r *rand.Rand, key string) string {
			i := r.IntN(len(key))
			return key[:i] + "q" + key[i+1:]
		})},
		{"a letter of the key left out", key(func(r *rand.Rand, key string) string {
			i := r.IntN(len(key))
			return key[:i] + key[i+1:] + "q"
		})},
		{"an unknown sign before the key", key(func(_ *rand.Rand, key string) string { return "%" + key })},
		{"a bracket that closes nothing", value("]", 0)},
		{"a tag", value("!secret x", 0)},
		{"a control character", value("a\x07b", 1)},
		{"a byte that is not UTF-8", value("a\xffb", 1)},
		{"a quote that is never closed", value(`"abc`, 0)},
		{"an unknown alias", leaf(func(l keyed) (string, int) { return l.with("*nowhere"), l.valueAt() })},
		{"a block in the place of a value", leaf(func(l keyed) (string, int) { return l.with("{q: 1}"), l.valueAt() })},
		{"the line twice", leaf(func(l keyed) (string, int) { return l.with(l.value) + "\n" + l.with(l.value), l.keyAt() })},
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

// goodHouse is a good configuration of three files, as lines by path.
func goodHouse(t testing.TB) map[string][]string {
	t.Helper()
	parts := map[string][]string{}
	path := "/house/porchlight.yaml"
	for line := range strings.SplitSeq(strings.TrimSpace(goodBlock(t)), "\n") {
		switch line {
		case "plugins:":
			path = "/house/conf.d/plugins.yaml"
		case "cameras:":
			path = "/house/conf.d/cameras.yaml"
		}
		parts[path] = append(parts[path], line)
	}
	main := "/house/porchlight.yaml"
	parts[main] = append(parts[main], "include: [conf.d/*.yaml]")
	return parts
}

func kept(parts map[string][]string) files.Kept {
	k := files.Kept{Files: map[string][]byte{}}
	for path, lines := range parts {
		k.Files[path] = []byte(strings.Join(lines, "\n") + "\n")
	}
	return k
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

// TestMutationsAreToldAtTheirPlace spoils one line of a good configuration, 200 times
// over: no configuration comes of it, and the first problem stands at the line and
// column that were spoilt, in the file that was.
func TestMutationsAreToldAtTheirPlace(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	good := goodHouse(t)
	own, opts := ownSchema(), testOptions()
	opts.disk = kept(good)
	main := "/house/porchlight.yaml"
	if c, problems := Load(main, opts); c == nil || len(problems) > 0 {
		t.Fatal(Text(problems, ""))
	}
	paths := IDs(good)
	for n := 0; n < 200; {
		path := paths[r.IntN(len(paths))]
		lines := good[path]
		i, m := r.IntN(len(lines)), mutations()[r.IntN(len(mutations()))]
		found := keyLine.FindStringSubmatch(lines[i])
		if found == nil || isID(lines, i) || found[2] == "include" {
			continue
		}
		spoilt, column := m.do(r, keyed{found[1], found[2], found[3]})
		if column == 0 || strings.TrimSpace(spoilt) == strings.TrimSpace(lines[i]) {
			continue
		}
		n++
		house := maps.Clone(good)
		house[path] = slices.Concat(lines[:i], []string{spoilt}, lines[i+1:])
		opts.disk = kept(house)
		want := Position{File: path, Line: i + 1 + strings.Count(spoilt, "\n"), Column: column}
		src, _ := opts.disk.Read(main)
		c, problems := parseWith(own, main, src, opts)
		if c != nil || !slices.ContainsFunc(problems, func(p Problem) bool {
			return p.Severity == Error && Position{File: p.File, Line: p.Line, Column: p.Column} == want
		}) {
			t.Errorf("%s at %s: %q: told\n%s", m.name, want, spoilt, Text(problems, ""))
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

// oneWrong lists what becomes of a word by one wrong letter at a place.
func oneWrong(word string, at int) []string {
	out := []string{word[:at] + "q" + word[at+1:], word[:at] + word[at+1:], word[:at+1] + word[at:], word[:at] + "z" + word[at:]}
	if at+1 < len(word) {
		out = append(out, word[:at]+word[at+1:at+2]+word[at:at+1]+word[at+2:])
	}
	return out
}

// TestOneWrongLetterSuggestsTheKey goes through every key of the format and of the
// plugins' schemas, every place in it and every kind of slip.
func TestOneWrongLetterSuggestsTheKey(t *testing.T) {
	root, faults := tree.Read("x", goodBlock(t)+"\n")
	if root == nil {
		t.Fatal(faults)
	}
	own, opts := ownSchema(), testOptions()
	tried := 0
	decides := func(key string) bool { return key == "plugin" || key == "builtin" } // which other keys there are
	spoil := func(n *tree.Node, path []string, at, slip int, deciding bool) {
		spoilt, meant := *n, map[string]string{}
		spoilt.Entries = slices.Clone(n.Entries)
		for i, e := range n.Entries {
			if decides(e.Key) != deciding || at >= len(e.Key) || slip >= len(oneWrong(e.Key, at)) {
				continue
			}
			wrong := oneWrong(e.Key, at)[slip]
			if wrong == e.Key || wrong == "" || meant[wrong] != "" || n.Entry(wrong) != nil {
				continue
			}
			meant[wrong], spoilt.Entries[i].Key = e.Key, wrong
		}
		if len(meant) == 0 {
			return
		}
		tried += len(meant)
		_, problems := parseWith(own, "x", tree.Write(replace(root, path, &spoilt), nil), opts)
		for _, p := range problems {
			wrong := p.Path[strings.LastIndex(p.Path, ".")+1:]
			if p.Code == "E-CFG-UNKNOWN-KEY" && p.Suggestion == meant[wrong] {
				delete(meant, wrong)
			}
		}
		for wrong, key := range meant {
			t.Errorf("%s.%s is not told to be %s", strings.Join(path, "."), wrong, key)
		}
	}
	done := map[string]bool{} // blocks of the same form
	var walk func(n *tree.Node, path []string)
	walk = func(n *tree.Node, path []string) {
		owners := len(path) == 1 && slices.Contains([]string{"plugins", "cameras", "chimes"}, path[0])
		form := fmt.Sprint(len(path), path[:min(1, len(path))], keysOf(n))
		if !owners && !done[form] {
			done[form] = true
			for at := range 17 { // the longest key
				for slip := range 5 {
					spoil(n, path, at, slip, false)
					spoil(n, path, at, slip, true)
				}
			}
		}
		for _, e := range n.Entries {
			walk(e.Value, append(slices.Clone(path), e.Key))
		}
	}
	walk(root, nil)
	t.Logf("%d slips", tried)
	if tried < 2000 {
		t.Errorf("only %d slips were tried", tried)
	}
}

func keysOf(n *tree.Node) (keys []string) {
	for _, e := range n.Entries {
		keys = append(keys, e.Key)
	}
	return keys
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
	opts.disk = files.Kept{}
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

// FuzzFiles: a main file, one that it includes, and the secrets.
func FuzzFiles(f *testing.F) {
	f.Add(string(example(f)), "cameras: {a: {plugin: demo, rotate: 90}}\n", "front_door: hunter2\n")
	f.Add("version: 1\ninclude: [a.yaml, conf.d/*.yaml, \"[\"]\ncameras: {a: {source: {url: secret://u}}}\n", "include: [../porchlight.yaml]\n", "u: rtsp://hunter2\n")
	f.Add("include: [conf.d/a.yaml]\nhub: {name: env://N, log:}\n", "hub: {log: {level: debug}, name: x}\nversion: 2\n", "a: [x]\n")
	f.Add("hub: {name: file:///house/secrets.yaml}\n", "#\n", "a: \"\n")
	f.Add("cameras: &c {a: {plugin: demo}}\ninclude: [conf.d/*.yaml]\n", "cameras: {<<: {b: {plugin: demo}}}\n", "a: b\na: c\n")
	own := ownSchema()
	opts := testOptions()
	f.Fuzz(func(t *testing.T, main, part, secrets string) {
		const path = "/house/porchlight.yaml"
		texts := map[string]string{path: main, "/house/conf.d/a.yaml": part, "/house/secrets.yaml": secrets}
		disk := files.Kept{Files: map[string][]byte{}, Vars: map[string]string{"N": "3"}}
		lines := map[string]int{}
		for name, text := range texts {
			disk.Files[name] = []byte(text)
			lines[name] = strings.Count(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n") + 1
		}
		opts.disk = disk
		c, problems := parseWith(own, path, []byte(main), opts)
		for _, p := range problems {
			if n, known := lines[p.File]; !known || p.Line < 1 || p.Line > n || p.Column < 1 || p.Message == "" || p.Code == "" {
				t.Errorf("a problem without its place: %+v", p)
			}
		}
		if n, _ := Count(problems); (c == nil) != (n > 0) {
			t.Errorf("configuration %t, errors %d", c != nil, n)
		}
		if _, err := MaskedFiles(path, opts); err != nil {
			t.Error(err)
		}
		Watched(path, opts)
		if c == nil {
			return
		}
		if again, problems := c.Again(opts); again == nil || !again.Same(c) || !Compare(c, again).Empty() {
			t.Errorf("the same bytes are another configuration: %s", Text(problems, ""))
		}
		again, problems := parseWith(own, path, c.Effective(), opts)
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
