package plugintest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

func TestGoodInProcess(t *testing.T) {
	plugintest.InProcess(t, newGood, plugintest.Options{BadConfig: []byte(`{"level":11}`)})
}

func TestGoodBinary(t *testing.T) {
	plugintest.Run(t, binary("good"), plugintest.Options{BadConfig: []byte(`{"level":11}`)})
}

// Every rule has a plugin that breaks it, and the kit says so.
func TestEveryRuleBites(t *testing.T) {
	for _, r := range plugintest.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			o := plugintest.Options{Only: []string{r.Name}}
			f := plugintest.Check(t.Context(), binary(r.Name), o).Findings[0]
			if f.Outcome != plugintest.Broken {
				t.Fatalf("%s by a plugin that breaks it: %s", f.Outcome, f.Detail)
			}
			if f.Detail == "" || strings.Contains(f.Detail, "no such child") {
				t.Fatalf("detail: %s", f.Detail)
			}
			t.Log(f.Detail)
		})
	}
}

// A plugin that breaks one rule is not accused of breaking others.
func TestFaultsAreToldApart(t *testing.T) {
	kept := []string{"handshake", "describe", "describe-pure", "bad-config", "health", "denied", "handled-once"}
	for _, fault := range []string{"configure", "killed"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := plugintest.Options{Only: append(slices.Clone(kept), fault)}
			broken := plugintest.Check(t.Context(), binary(fault), o).Broken()
			if len(broken) != 1 || broken[0].Rule != fault {
				t.Errorf("broken: %+v", broken)
			}
		})
	}
}

// Inside the test leaked goroutines are seen one by one.
func TestGrowthBitesInProcess(t *testing.T) {
	o := plugintest.Options{Only: []string{"growth"}, Events: 500}
	if f := plugintest.CheckInProcess(t.Context(), badAuthors()["growth"], o).Findings[0]; f.Outcome != plugintest.Broken {
		t.Errorf("%+v", f)
	}
}

func TestReport(t *testing.T) {
	r := plugintest.Report{Findings: []plugintest.Finding{
		{Rule: "stop", Law: "ends", Outcome: plugintest.Broken, Detail: "did not\nend"}, {Rule: "health", Law: "answers", Outcome: plugintest.Passed},
	}}
	if b := r.Broken(); len(b) != 1 || b[0].Rule != "stop" {
		t.Errorf("broken: %v", b)
	}
	for _, want := range []string{"broken   stop", "passed   health"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("no %q in\n%s", want, r)
		}
	}
	if !json.Valid(r.JSON()) {
		t.Errorf("no JSON: %s", r.JSON())
	}
}
