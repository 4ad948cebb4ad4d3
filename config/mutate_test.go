package config

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config/files"
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
  c:
    plugin: mybell
    source:
      password: hunter10
        hunter11 and hunter12
      token: hunter13
        - [hunter14
      note: x
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
