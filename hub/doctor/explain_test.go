package doctor

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryTextSaysWhatAndHowToMend(t *testing.T) {
	seen := map[string]bool{}
	for _, area := range areas() {
		for code, text := range area {
			if seen[code] {
				t.Errorf("%s has two texts", code)
			}
			seen[code] = true
			if !strings.HasPrefix(code, "E-") || text.Title == "" || len(text.What) < 20 || len(text.Mend) < 10 {
				t.Errorf("%s: %+v says too little", code, text)
			}
			if strings.HasSuffix(text.Title, ".") {
				t.Errorf("%s: a title is no sentence: %q", code, text.Title)
			}
		}
	}
	codes := Codes()
	if len(codes) != len(seen) || !slices.IsSorted(codes) {
		t.Errorf("%d codes of %d", len(codes), len(seen))
	}
	if _, ok := Explain("E-NO-SUCH"); ok {
		t.Error("a text for no code")
	}
}
