package config

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	generator "github.com/invopop/jsonschema"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// TestSchemaIsOfTheTypes holds the embedded schema against the Go types. The
// generator stays out of the program: make gen runs this test with PORCHLIGHT_GEN set,
// and it writes the file.
func TestSchemaIsOfTheTypes(t *testing.T) {
	want := makeSchema(t)
	if os.Getenv("PORCHLIGHT_GEN") != "" {
		if err := os.WriteFile("porchlight.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, Schema()) {
		t.Error("porchlight.schema.json is not of these types: run make gen")
	}
}

// makeSchema makes the JSON schema of the format from the Go types.
func makeSchema(t *testing.T) []byte {
	r := &generator.Reflector{Anonymous: true, RequiredFromJSONSchemaTags: true, Mapper: mapType}
	s := r.Reflect(&Config{})
	s.Title = "porchlight.yaml"
	for _, w := range laterWords() {
		target := s.Definitions[w.def]
		target.Properties.Set(w.key, &generator.Schema{Description: "Not read by this version yet."})
	}
	s.Definitions["Config"].Properties.Set("include", &generator.Schema{Type: "array", Items: &generator.Schema{Type: "string", MinLength: new(uint64(1))},
		Description: "More files, merged by key: names or patterns from this file's folder.", Examples: []any{[]string{"conf.d/*.yaml"}}})
	sayDefaults(s)
	s.Definitions["Chime"].AdditionalProperties = nil // a plugin's own keys, checked apart
	for _, section := range []string{"plugins", "cameras", "chimes"} {
		if p, ok := s.Definitions["Config"].Properties.Get(section); ok {
			p.PropertyNames = &generator.Schema{Pattern: IDPattern}
		}
	}
	if p, ok := s.Definitions["Hub"].Properties.Get("telemetry"); ok {
		p.Const = false
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// sayDefaults puts the defaults in, so that editors and explain can tell them.
func sayDefaults(s *generator.Schema) {
	p, cam, chime := defaultPlugin(), defaultCamera("id", false), defaultChime("id")
	cam.Name, cam.Kind, chime.Name = "", "", "" // these depend on the entry
	for def, v := range map[string]any{
		"Hub": defaultHub(), "Log": defaultHub().Log, "Metrics": defaultHub().Metrics, "TLS": defaultHub().TLS, "WebRTC": defaultHub().WebRTC, "Restream": defaultHub().Restream, "Plugin": p, "Restart": p.Limits.Restart, "Health": p.Limits.Health,
		"Camera": cam, "Streams": cam.Streams, "Ring": cam.Ring, "Chime": chime,
	} {
		n, err := tree.FromJSON(marshal(v))
		if err != nil {
			panic(err)
		}
		for _, e := range n.Entries {
			key, ok := s.Definitions[def].Properties.Get(e.Key)
			if !ok || e.Value.Kind == tree.Map || e.Value.Kind == tree.Null || e.Value.Text == "" && !e.Value.Branches() {
				continue
			}
			key.Default = e.Value.Plain()
		}
	}
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
