package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/porchlight-hub/porchlight/config/files"
)

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
