package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// IDPattern is what ids of plugins, cameras and chimes look like.
const IDPattern = `^[a-z][a-z0-9_]{0,31}$`

// maxSchema bounds a plugin's own schema, in bytes.
const maxSchema = 256 << 10

// Schema is the JSON schema of the format, made from the Go types.
func Schema() json.RawMessage {
	r := &generator.Reflector{Anonymous: true, RequiredFromJSONSchemaTags: true, Mapper: mapType}
	s := r.Reflect(&Config{})
	s.Title = "porchlight.yaml"
	for _, w := range laterWords() {
		target := s.Definitions[w.def]
		target.Properties.Set(w.key, &generator.Schema{Description: "Not read by this version yet."})
	}
	s.Definitions["Chime"].AdditionalProperties = nil // a plugin's own keys, checked apart
	for _, section := range []string{"plugins", "cameras", "chimes"} {
		if p, ok := s.Definitions["Config"].Properties.Get(section); ok {
			p.PropertyNames = &generator.Schema{Pattern: IDPattern}
		}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: own types make no schema: " + err.Error()) // cannot happen: the tests marshal it
	}
	return b
}

func mapType(t reflect.Type) *generator.Schema {
	switch t {
	case reflect.TypeFor[Duration]():
		return &generator.Schema{Type: "string", Format: "duration-with-unit", Examples: []any{"3s"}}
	case reflect.TypeFor[ByteSize]():
		return &generator.Schema{Type: "string", Format: "size-with-unit", Examples: []any{"128MiB"}}
	case reflect.TypeFor[Percent]():
		return &generator.Schema{Type: "string", Format: "percent", Examples: []any{"50%"}}
	case reflect.TypeFor[Raw]():
		return &generator.Schema{Type: "object"}
	}
	return nil
}

// compile makes a checker of a JSON schema. References that lead outside of it
// are refused: a plugin's schema must not read files.
func compile(name string, raw json.RawMessage) (s *jsonschema.Schema, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("schema %s: %v", name, v)
		}
	}()
	if len(raw) > maxSchema {
		return nil, fmt.Errorf("schema %s: %d bytes; the limit is %d", name, len(raw), maxSchema)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	for format, check := range formats() {
		c.RegisterFormat(&jsonschema.Format{Name: format, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return check(s)
			}
			return nil
		}})
	}
	where := "porchlight:" + url.PathEscape(name)
	if err := c.AddResource(where, doc); err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return c.Compile(where)
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references outside of the schema are not followed")
}

// formats are checks of single values; their errors end a sentence that begins
// with the key, or stand alone if they quote the value.
func formats() map[string]func(string) error {
	out := map[string]func(string) error{
		"duration-with-unit": func(s string) error { _, err := ParseDuration(s); return err },
		"size-with-unit":     func(s string) error { _, err := ParseByteSize(s); return err },
		"percent":            func(s string) error { _, err := ParsePercent(s); return err },
		"listen-address":     func(s string) error { _, err := listenHost(s); return err },
		"timezone":           checkTimezone,
		"http-url":           checkURL,
		"language":           checkLanguage,
	}
	return maps.Clone(out)
}

func checkTimezone(s string) error {
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		return fmt.Errorf("%q is not a time zone: write for example Europe/Berlin", clip(s))
	}
	return nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("is not an address such as https://porch.local:8480")
	}
	return nil
}

func checkLanguage(s string) error {
	if s != "auto" && !regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$`).MatchString(s) {
		return fmt.Errorf("%q is not a language: write auto, or a tag such as en or pt-BR", clip(s))
	}
	return nil
}

// listenHost is the host part of host:port.
func listenHost(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port: write for example 127.0.0.1:8480", clip(s))
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q has no port between 0 and 65535", clip(s))
	}
	if strings.ContainsAny(host, "/ @") {
		return "", fmt.Errorf("%q is not host:port: write for example 127.0.0.1:8480", clip(s))
	}
	return host, nil
}

// Loopback tells whether a listen address can be reached from this machine only.
func Loopback(listen string) bool {
	host, err := listenHost(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// keysAt lists the keys that a schema knows at a path of an instance.
func keysAt(s *jsonschema.Schema, path []string) []string {
	seen := map[string]bool{}
	for _, at := range schemasAt(s, path, 0) {
		for k := range at.Properties {
			seen[k] = true
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	return out
}

// schemasAt follows a path down through references, combinations, properties
// and items.
func schemasAt(s *jsonschema.Schema, path []string, depth int) []*jsonschema.Schema {
	if s == nil || depth > 4*maxDepth {
		return nil
	}
	var out []*jsonschema.Schema
	for _, sub := range append(append(append([]*jsonschema.Schema{s.Ref, s.Then, s.Else}, s.AllOf...), s.AnyOf...), s.OneOf...) {
		out = append(out, schemasAt(sub, path, depth+1)...)
	}
	if len(path) == 0 {
		return append(out, s)
	}
	next, rest := path[0], path[1:]
	if p, ok := s.Properties[next]; ok {
		return append(out, schemasAt(p, rest, depth+1)...)
	}
	for re, p := range s.PatternProperties {
		if re.MatchString(next) {
			return append(out, schemasAt(p, rest, depth+1)...)
		}
	}
	if p, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		out = append(out, schemasAt(p, rest, depth+1)...)
	}
	if p, ok := s.Items.(*jsonschema.Schema); ok {
		out = append(out, schemasAt(p, rest, depth+1)...)
	}
	if s.Items2020 != nil {
		out = append(out, schemasAt(s.Items2020, rest, depth+1)...)
	}
	return out
}
