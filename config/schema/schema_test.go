package schema

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/config/tree"
)

const door = `{
	"type": "object",
	"additionalProperties": false,
	"required": ["address"],
	"properties": {
		"address": {"type": "string"},
		"wifi": {"type": "string", "format": "password"},
		"mode": {"oneOf": [{"const": "auto"}, {"type": "object", "properties": {"fps": {"type": "integer", "maximum": 30}}, "additionalProperties": false}]},
		"zones": {"type": "object", "propertyNames": {"pattern": "^z"}, "additionalProperties": {"$ref": "#/$defs/zone"}},
		"list": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"$ref": "#/$defs/zone"}}
	},
	"$defs": {"zone": {"type": "object", "additionalProperties": false, "properties": {"label": {"type": "string", "pattern": "^[A-Z]"}, "child": {"$ref": "#/$defs/zone"}}}}
}`

func check(t *testing.T, schema, src string) []tree.Fault {
	t.Helper()
	s, err := Compile("door", json.RawMessage(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, faults := tree.Read("f", src)
	if n == nil {
		t.Fatal(faults)
	}
	return s.Check(n, "cameras.a.source")
}

func TestEveryFailureIsToldAtItsPlace(t *testing.T) {
	for src, want := range map[string][]string{
		"address: a\n":                     nil,
		"adress: a\n":                      {`1:1 cameras.a.source lacks address`, `1:1 unknown key "adress" in cameras.a.source -> address`},
		"address: 1\nwifi: 12345\n":        {`1:10 cameras.a.source.address must be text, not a number: write it in quotes, "1"`, `2:7 cameras.a.source.wifi must be text, not a number`},
		"address: a\nmode: {fps: 31}\n":    {`2:13 cameras.a.source.mode.fps: 31 is above 30`},
		"address: a\nmode: {fqs: 31}\n":    {`2:8 unknown key "fqs" in cameras.a.source.mode -> fps`},
		"address: a\nmode: atuo\n":         {`2:7 cameras.a.source.mode must be auto`},
		"address: a\nzones: {a: {}}\n":     {`2:9 cameras.a.source.zones: the key "a" is not possible here`},
		"address: a\nlist: []\n":           {`2:7 cameras.a.source.list needs at least 1 line`},
		"address: a\nlist: [{}, {}]\n":     {`2:7 cameras.a.source.list holds the same line twice`},
		"address: a\nlist: [{label: x}]\n": {`2:16 cameras.a.source.list[0].label: "x" does not have the form ^[A-Z]`},
		"address: a\nlist: [{child: {lable: X}}]\n": {
			`2:17 unknown key "lable" in cameras.a.source.list[0].child -> label`},
		"address: a\nzones: {z1: {child: 3}}\n": {`2:21 cameras.a.source.zones.z1.child must be a block of keys, not a number`},
	} {
		var got []string
		for _, f := range check(t, door, src) {
			line := strings.TrimPrefix(f.Pos.String(), "f:") + " " + f.Message
			if f.Suggestion != "" {
				line += " -> " + f.Suggestion
			}
			got = append(got, line)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", src, got, want)
		}
	}
}

func TestSecretsOfTheSchemaAreMarked(t *testing.T) {
	s, err := Compile("door", json.RawMessage(door), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := tree.Read("f", "address: a\nwifi: hunter2\nnme: [hunter3]\n")
	s.Check(n, "x")
	if b, _ := json.Marshal(n.Masked().Plain()); strings.Contains(string(b), "hunter") || !strings.Contains(string(b), `"address":"a"`) {
		t.Errorf("%s", b)
	}
}

// TestSelfReference: a schema that refers to itself in many ways ends.
func TestSelfReference(t *testing.T) {
	loop := `{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "object", "properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/a"}]}}}}}`
	check(t, loop, "x: {x: {x: {x: {x: {y: 1}}}}}\n")
	if _, err := Compile("self", json.RawMessage(`{"$ref": "#"}`), nil); err == nil {
		n, _ := tree.Read("f", "a: 1\n")
		s, _ := Compile("self", json.RawMessage(`{"$ref": "#"}`), nil)
		s.Check(n, "x")
		s.Keys("a")
	}
}

func TestNearest(t *testing.T) {
	have := []string{"debounce", "password", "name", "plugin", "hallway", "pin"}
	for word, want := range map[string]string{
		"pasword": "password", "PASSWORD": "password", "nmae": "name", "halway": "hallway", "debuonce": "debounce", "x": "", "": "",
		"plguin": "plugin", "entirely": "", strings.Repeat("n", 500): "",
	} {
		if got := Nearest(word, have); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// A schema may say what a text should look like in its own words; a login inside an
// address is shown by no message.
func TestPatternsInTheSchemasOwnWords(t *testing.T) {
	const source = `{"type": "object", "properties": {
		"url": {"type": "string", "pattern": "^rtsp://[^@]+$", "patternErrorMessage": "the login stands beside the address"},
		"list": {"type": "array", "items": {"type": "string", "pattern": "^[^@]+$"}}}}`
	for src, want := range map[string]string{
		"url: rtsp://viewer:hunter2@10.0.0.9/a\n":      "cameras.a.source.url: the login stands beside the address",
		"list: ['rtsp://viewer:hunter2@10.0.0.9/a']\n": `cameras.a.source.list[0]: "rtsp://***@10.0.0.9/a" does not have the form ^[^@]+$`,
	} {
		got := check(t, source, src)
		if len(got) != 1 || strings.Contains(got[0].Message, "hunter2") || got[0].Message != want {
			t.Errorf("%s: %+v, want %s", src, got, want)
		}
	}
}
