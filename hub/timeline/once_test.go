package timeline

import "testing"

// Who tells what it did is not named a second time for having handled it; a failure,
// a replay and a taker of whom no more is known stay.
func TestSaidOnce(t *testing.T) {
	hops := []Hop{
		{Who: "plugin homekit", What: handled, Outcome: "ok"},
		{Who: "plugin homekit", What: handled, Outcome: "ok", Detail: "told 2 of 2 controllers"},
		{Who: "plugin homekit", What: handled, Outcome: "ok", Replay: true},
		{Who: "plugin mqtt", What: handled, Outcome: "ok"},
		{Who: "plugin slow", What: handled, Outcome: "failed", Detail: "late"},
	}
	got := saidOnce(hops)
	if len(got) != 4 || got[0].Detail == "" || !got[1].Replay || got[2].Who != "plugin mqtt" || got[3].Outcome != "failed" {
		t.Errorf("%+v", got)
	}
	if !skippedOnPurpose("quiet") || skippedOnPurpose("no page is open") {
		t.Error("a house that is kept quiet has no fault")
	}
}
