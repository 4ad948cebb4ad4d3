package hooks

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/store"
)

func open(tb testing.TB, file string) (*Hooks, *time.Time) {
	tb.Helper()
	db, err := store.Open(tb.Context(), file)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	h, err := Open(tb.Context(), db)
	if err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	h.now = func() time.Time { return at }
	return h, &at
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func TestTokenIsMadeOnceAndKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.db")
	h, at := open(t, file)
	const many = 16
	got := make([]Entry, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			e, err := h.Token(context.WithoutCancel(t.Context()), "gate")
			if err != nil {
				t.Error(err)
			}
			got[i] = e
		})
	}
	all.Wait()
	for _, e := range got {
		if e != got[0] || len(e.Token) != tokenChars || e.Camera != "gate" || !e.Created.Equal(*at) || !e.LastUsed.IsZero() {
			t.Fatalf("%+v, and %+v", e, got[0])
		}
	}
	if other := must[Entry](t)(h.Token(t.Context(), "shed")); other.Token == got[0].Token {
		t.Error("two cameras have one token")
	}
	again, _ := open(t, file)
	if e := must[Entry](t)(again.Token(t.Context(), "gate")); e.Token != got[0].Token {
		t.Errorf("after a restart %+v", e)
	}
}

func TestFindAndRenew(t *testing.T) {
	h, at := open(t, filepath.Join(t.TempDir(), "hub.db"))
	first := must[Entry](t)(h.Token(t.Context(), "gate"))
	find := func(token, want string) {
		t.Helper()
		camera, ok, err := h.Find(t.Context(), token)
		if err != nil || camera != want || ok != (want != "") {
			t.Errorf("%.40q is of %q, %v, %v; want %q", token, camera, ok, err, want)
		}
	}
	use := func() {
		t.Helper()
		find(first.Token, "gate")
		if err := h.Used(t.Context(), "gate"); err != nil {
			t.Error(err)
		}
	}
	use()
	used := *at
	for _, wrong := range []string{"", "x", first.Token[:31], first.Token + "A", strings.Repeat("A", tokenChars), strings.Repeat(first.Token, 1000), " " + first.Token, "gate"} {
		find(wrong, "")
	}
	*at = at.Add(seenEvery / 2)
	use()
	if e := must[Entry](t)(h.Token(t.Context(), "gate")); !e.LastUsed.Equal(used) {
		t.Errorf("last used %s, written too often", e.LastUsed)
	}
	*at = at.Add(seenEvery / 2)
	use()
	if e := must[Entry](t)(h.Token(t.Context(), "gate")); !e.LastUsed.Equal(*at) {
		t.Errorf("last used %s, want %s", e.LastUsed, *at)
	}
	second := must[Entry](t)(h.Renew(t.Context(), "gate"))
	if second.Token == first.Token || !second.LastUsed.IsZero() || !second.Created.Equal(*at) {
		t.Errorf("renewed %+v", second)
	}
	find(first.Token, "")
	find(second.Token, "gate")
	if e := must[Entry](t)(h.Renew(t.Context(), "shed")); e.Token == "" {
		t.Error("a first renewal makes none")
	}
}

func TestErrorsHoldNoToken(t *testing.T) {
	h, _ := open(t, filepath.Join(t.TempDir(), "hub.db"))
	e := must[Entry](t)(h.Token(t.Context(), "gate"))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := h.Find(over, e.Token)
	if err == nil || strings.Contains(err.Error(), e.Token) {
		t.Errorf("find: %v", err)
	}
	if _, err := h.Renew(over, "gate"); err == nil || strings.Contains(err.Error(), e.Token) {
		t.Errorf("renew: %v", err)
	}
}

// FuzzFind looks for what anybody may post: nothing of it is a camera's, and nothing of it
// is an error.
func FuzzFind(f *testing.F) {
	h, _ := open(f, filepath.Join(f.TempDir(), "hub.db"))
	right := must[Entry](f)(h.Token(f.Context(), "gate")).Token
	for _, s := range []string{"", "x", "' OR 1=1 --", strings.Repeat("A", tokenChars), "\x00", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if token == right {
			return
		}
		if camera, ok, err := h.Find(t.Context(), token); ok || camera != "" || err != nil {
			t.Errorf("%q is of %q, %v", token, camera, err)
		}
	})
}
