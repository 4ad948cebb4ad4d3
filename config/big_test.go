package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config/files"
)

// aliased is a file of many cameras that all are the first one.
func aliased(file, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cameras:\n  f%d: &a {plugin: demo}\n", file)
	for i := range n {
		fmt.Fprintf(&b, "  f%dc%d: *a\n", file, i)
	}
	return b.String()
}

// TestManyFilesAreBounded: what no file has too much of, all together may not have either.
func TestManyFilesAreBounded(t *testing.T) {
	const main = "version: 1\ninclude: [\"p/*.yaml\"]\n"
	part := func(i int) string { return fmt.Sprintf("/house/p/%03d.yaml", i) }
	aliases, comments, long, values := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for i := range 60 {
		aliases[part(i)] = aliased(i, 3000)
		comments[part(i)] = strings.Repeat("# x\n", 200_000)
	}
	long[part(0)] = "x: &a " + strings.Repeat("x", 100_000) + "\ny: [" + strings.Repeat("*a,", 5000) + "]\n"
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "  c%d: {plugin: demo, name: \"file:///v\"}\n", i)
	}
	values[part(0)], values["/v"] = "cameras:\n"+b.String(), strings.Repeat("x", 60_000)
	most := map[string]string{}
	for i := range 198 {
		most[part(i)] = aliased(i, 80)
	}
	house := map[string]string{}
	for i := range 100 {
		b.Reset()
		b.WriteString("cameras:\n")
		for j := range 5 {
			fmt.Fprintf(&b, "  c%d_%d:\n    name: Camera %d\n    rotate: 90\n    source:\n      url: rtsp://10.0.0.%d/live\n      password: word\n    ring: {debounce: 3s}\n", i, j, j, i)
		}
		house[part(i)] = b.String()
	}
	for name, c := range map[string]struct {
		texts map[string]string
		code  string
		at    string
	}{
		"aliases of many files":  {aliases, "E-CFG-TOO-DEEP", "/house/p/"},
		"comments of many files": {comments, "E-CFG-TOO-LARGE", "/house/porchlight.yaml:2:"},
		"a long text many times": {long, "E-CFG-TOO-LARGE", "/house/p/000.yaml:2:"},
		"a long file many times": {values, "E-CFG-REF", "/house/p/000.yaml:"},
		"a house of 500 cameras": {house, "", ""},
		"as much as may be":      {most, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			disk := files.Kept{Files: map[string][]byte{}}
			for path, text := range c.texts {
				disk.Files[path] = []byte(text)
			}
			opts := testOptions()
			opts.disk = disk
			start := time.Now()
			got, problems := Parse("/house/porchlight.yaml", []byte(main), opts)
			t.Logf("in %s", time.Since(start).Round(time.Millisecond))
			i := slices.IndexFunc(problems, func(p Problem) bool { return p.Code == c.code })
			switch {
			case c.code == "" && got == nil:
				t.Error(Text(problems, ""))
			case c.code != "" && (i < 0 || !strings.HasPrefix(fmt.Sprintf("%s:%d:", problems[i].File, problems[i].Line), c.at)):
				t.Errorf("not told as %s at %s:\n%.500s", c.code, c.at, Text(problems, ""))
			case c.code != "":
				t.Log(Text(problems[i:i+1], ""))
			}
		})
	}
}
