package config

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/files"
)

// Files lists every file that the configuration was made of, the main one first:
// what it includes, secrets.yaml where there is one, and what file:// names.
func (c *Config) Files() []string {
	var out []string
	if c.set != nil {
		for _, f := range c.set.Files {
			out = append(out, f.Path)
		}
	}
	return out
}

// FileText gives the bytes of one of Files as they were read.
func (c *Config) FileText(path string) ([]byte, bool) {
	if c.set == nil {
		return nil, false
	}
	i := slices.IndexFunc(c.set.Files, func(f files.File) bool { return f.Path == path })
	if i < 0 {
		return nil, false
	}
	return slices.Clone(c.set.Files[i].Src), true
}

// Same tells whether two configurations were read from the same bytes, in all their
// files and variables. It is cheaper than Compare, and stricter: a comment counts.
func (c *Config) Same(o *Config) bool {
	if c.set == nil || o.set == nil {
		return c.set == o.set
	}
	return maps.Equal(c.set.Vars, o.set.Vars) && slices.EqualFunc(c.set.Files, o.set.Files, func(a, b files.File) bool {
		return a.Path == b.Path && bytes.Equal(a.Src, b.Src)
	})
}

// Again checks the very bytes that c was read from with other options, whatever
// stands on disk now.
func (c *Config) Again(opts Options) (*Config, []Problem) {
	if c.set == nil {
		return c, nil
	}
	opts.disk = c.kept()
	return Parse(c.file, c.Source(), opts)
}

func (c *Config) kept() files.Kept {
	k := files.Kept{Files: map[string][]byte{}, Vars: c.set.Vars}
	for _, f := range c.set.Files {
		k.Files[f.Path] = f.Src
	}
	return k
}

// Secret gives the value of an entry of secrets.yaml.
func (c *Config) Secret(name string) (string, bool) {
	if c.set == nil {
		return "", false
	}
	return c.set.Secret(name)
}

// SecretNames lists the secrets that a plugin's config and its devices refer to: what
// the plugin may ask for.
func (c *Config) SecretNames(plugin string) []string {
	var out []string
	take := func(r Raw) { out = append(out, r.secrets()...) }
	take(c.Plugins[plugin].Config)
	for _, x := range c.Cameras {
		if x.Plugin == plugin {
			take(x.Source)
		}
	}
	for _, x := range c.Chimes {
		if x.Plugin == plugin {
			take(x.Extra)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SecretUse tells by secret which entries refer to it.
func (c *Config) SecretUse() map[string][]string {
	out := map[string][]string{}
	use := func(kind, id string, r Raw) {
		names := r.secrets()
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			out[name] = append(out[name], kind+" "+id)
		}
	}
	for _, id := range IDs(c.Plugins) {
		use("plugin", id, c.Plugins[id].Config)
	}
	for _, id := range IDs(c.Cameras) {
		use("camera", id, c.Cameras[id].Source)
	}
	for _, id := range IDs(c.Chimes) {
		use("chime", id, c.Chimes[id].Extra)
	}
	return out
}

// secrets are the names that r refers to.
func (r Raw) secrets() []string {
	if r.node == nil {
		return nil
	}
	var out []string
	for _, ref := range r.node.Refs() {
		if name, ok := strings.CutPrefix(ref, "secret://"); ok {
			out = append(out, name)
		}
	}
	return out
}

// File is one file of a configuration as a page may show it.
type File struct {
	Path string
	Name string // from the main file's folder
	Main bool
	Text string // line by line the same, without secrets and comments
}

// MaskedFiles gives the text of a configuration's files, secrets.yaml among them, with
// the values of secrets hidden and comments left out; also of files that are not valid.
func MaskedFiles(path string, opts Options) ([]File, error) {
	src, err := opts.files().Read(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	l := &loader{opts: opts, file: path, own: ownSchema()}
	l.run(src)
	var out []File
	for _, f := range l.set.Files {
		if f.Kind == files.Value {
			continue
		}
		name, err := filepath.Rel(filepath.Dir(path), f.Path)
		if err != nil {
			name = f.Path
		}
		out = append(out, File{Path: f.Path, Name: filepath.ToSlash(name), Main: f.Kind == files.Main, Text: l.pages[f.Path].Masked()})
	}
	return out, nil
}

// Masked is the text of the main file alone.
func Masked(path string, opts Options) (string, error) {
	all, err := MaskedFiles(path, opts)
	if err != nil {
		return "", err
	}
	return all[0].Text, nil
}

// Watched lists the files and patterns a change of which may change what Load gives,
// those that are not there yet among them, also of files that are not valid.
func Watched(path string, opts Options) []string {
	src, err := opts.files().Read(path)
	if err != nil {
		return []string{path, filepath.Join(filepath.Dir(path), files.SecretsName)}
	}
	out := files.Read(opts.files(), path, src).Watch
	slices.Sort(out)
	return slices.Compact(out)
}

// What the file of secrets is called, and what may be done with its text.
const SecretsName = files.SecretsName

// Errors of editing secrets.
var (
	ErrSecretName = files.ErrSecretName
	ErrSecrets    = files.ErrSecrets
)

// SetSecret gives the text of a file of secrets with one name set to a value.
func SetSecret(src []byte, name, value string) ([]byte, error) {
	return files.SetSecret(src, name, value)
}

// RemoveSecret gives the text of a file of secrets without a name.
func RemoveSecret(src []byte, name string) ([]byte, error) { return files.RemoveSecret(src, name) }

// SecretsIn lists the names in the text of a file of secrets.
func SecretsIn(src []byte) ([]string, error) {
	entries, _, faults := files.ReadSecrets(SecretsName, src)
	if len(faults) > 0 {
		return nil, ErrSecrets
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Key)
	}
	return out, nil
}
