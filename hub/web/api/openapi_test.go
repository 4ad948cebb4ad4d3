package api

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// committed is the description that people read without a hub. It is written anew with
// PORCHLIGHT_GEN=1 in the environment.
var committed = filepath.Join("..", "..", "..", "docs", "openapi.json")

func TestOpenAPIIsOfTheRoutes(t *testing.T) {
	doc, err := New(Options{Version: "1.2.3"}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("PORCHLIGHT_GEN") != "" {
		if err := os.WriteFile(committed, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, doc) {
		t.Error("docs/openapi.json is not of these routes and shapes: run make gen and commit")
	}
}

func TestOpenAPIIsStable(t *testing.T) {
	first, err := New(Options{Version: "1"}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := New(Options{Version: "2"}).OpenAPI()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("the same routes are described in two ways")
		}
	}
}

// TestOpenAPITellsEverything: each route is described, with who may ask, what comes of it
// and the shape of an error; nothing is described that is not there.
func TestOpenAPITellsEverything(t *testing.T) {
	a := New(Options{})
	raw, err := a.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	type operation struct {
		OperationID string                `json:"operationId"`
		Summary     string                `json:"summary"`
		Security    []map[string][]string `json:"security"`
		Responses   map[string]struct {
			Content map[string]struct {
				Schema map[string]any `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	}
	var doc struct {
		OpenAPI    string                          `json:"openapi"`
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi %s", doc.OpenAPI)
	}
	var told []string
	ids := map[string]string{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			if path != HookPath+"{token}" {
				told = append(told, strings.ToUpper(method)+" "+Prefix+path)
			}
			if before, again := ids[op.OperationID]; again || op.Summary == "" {
				t.Errorf("%s: id %q (also of %s), summary %q", name, op.OperationID, before, op.Summary)
			}
			ids[op.OperationID] = name
			if op.Security == nil {
				t.Errorf("%s: who may ask is not told", name)
			}
			problem := op.Responses["default"].Content["application/problem+json"].Schema["$ref"]
			if problem != "#/components/schemas/Problem" || len(op.Responses) < 2 {
				t.Errorf("%s: answers %v", name, op.Responses)
			}
		}
	}
	var served []string
	for _, p := range a.Handler().Patterns() {
		if strings.Contains(p, " ") {
			served = append(served, p)
		}
	}
	slices.Sort(told)
	slices.Sort(served)
	if !slices.Equal(told, served) {
		t.Errorf("told\n%s\nserved\n%s", strings.Join(told, "\n"), strings.Join(served, "\n"))
	}
	for _, ref := range bytes.Split(raw, []byte(`"$ref": "#/components/schemas/`))[1:] {
		name, _, _ := bytes.Cut(ref, []byte(`"`))
		if doc.Components.Schemas[string(name)] == nil {
			t.Errorf("there is no shape %s", name)
		}
	}
	if bytes.Contains(raw, []byte("ErrorModel")) || bytes.Contains(raw, []byte("setup-link")) {
		t.Error("it tells of what this API does not have")
	}
}
