package setup

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// The vector of homekit.md 7; the sample code is refused for pairing, not for this.
func TestVector(t *testing.T) {
	if got := URI("031-45-154", 18, "PRCH"); got != "X-HM://00HVRPEPUPRCH" {
		t.Errorf("uri %s", got)
	}
	if got := Hash("PRCH", "AA:BB:CC:DD:EE:FF"); got != "XKxbEw==" {
		t.Errorf("hash %s", got)
	}
	if got := Code("031-45-154").Digits(); got != "03145154" {
		t.Errorf("digits %s", got)
	}
	if got := URI("999-99-998", 255, "ZZZZ"); len(got) != len("X-HM://00HVRPEPUPRCH") {
		t.Errorf("the greatest address %s", got)
	}
}

func TestParseCode(t *testing.T) {
	for _, s := range []string{"518-08-582", "51808582"} {
		if c, err := ParseCode(s); err != nil || string(c) != "518-08-582" {
			t.Errorf("%s: %s, %v", s, string(c), err)
		}
	}
	refused := []string{"", "1234567", "518-08-5821", "5180-8-582", "518 08 582", "51808-582", "5180858a", "٥١٨٠٨٥٨٢",
		"123-45-678", "87654321", "031-45-154", "03145154"}
	for d := range 10 {
		refused = append(refused, strings.Repeat(fmt.Sprint(d), 8))
	}
	for _, s := range refused {
		_, err := ParseCode(s)
		var r *Refused
		if !errors.As(err, &r) {
			t.Errorf("%q was taken: %v", s, err)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q stands in its own refusal", s)
		}
	}
}

func TestNew(t *testing.T) {
	codes := map[Code]bool{}
	for range 200 {
		c, err := NewCode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseCode(string(c)); err != nil {
			t.Fatalf("%s: %v", string(c), err)
		}
		codes[c] = true
		id, err := NewID()
		if err != nil || !ValidID(id) {
			t.Fatalf("id %q, %v", id, err)
		}
	}
	if len(codes) < 190 {
		t.Errorf("only %d codes of 200 differ", len(codes))
	}
}

func TestCodeIsNotShown(t *testing.T) {
	c := Code("518-08-582")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "code", c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "code", c)
	all := log.String() + fmt.Sprintf("%v %s %+v %#v %q", c, c, struct{ C Code }{c}, struct{ C Code }{c}, c)
	if strings.Contains(all, "518") || strings.Contains(all, "582") {
		t.Errorf("the code is shown: %s", all)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("518-08-582")
	f.Add("--------")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCode(s)
		if err == nil && (len(c) != 10 || len(URI(c, 18, "PRCH")) != 20) {
			t.Errorf("%q became %q", s, string(c))
		}
	})
}
