package access_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

func TestStreamPassword(t *testing.T) {
	a, c, db := open(t)
	p, password, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: "VLC in the hall", Talk: true, Cameras: []string{"gate", "front_door", "gate"}})
	if err != nil || p.User != access.Owner || len(p.Cameras) != 2 || p.ID == "" {
		t.Fatalf("%+v %v", p, err)
	}
	if !regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{5}-){3}[0-9a-hjkmnp-tv-z]{5}$`).MatchString(password) {
		t.Errorf("%q is not to be typed", password)
	}
	text := "owner:" + access.StreamRealm + ":" + password
	m, s := md5.Sum([]byte(text)), sha256.Sum256([]byte(text))
	keys, err := a.StreamKeys(t.Context(), access.Owner, "192.0.2.5")
	if err != nil || len(keys) != 1 || keys[0].MD5 != hex.EncodeToString(m[:]) || keys[0].SHA256 != hex.EncodeToString(s[:]) || !keys[0].Talk {
		t.Errorf("%+v %v", keys, err)
	}
	var dump string
	if err := db.SQL().QueryRowContext(t.Context(), `SELECT id || user || name || md5 || sha256 || cameras FROM access_streams`).Scan(&dump); err != nil || strings.Contains(dump, password) {
		t.Errorf("hub.db holds the password in clear, or %v", err)
	}
	for _, user := range []string{"", "guest", strings.Repeat("x", 100), "owner' OR 1=1 --"} {
		if keys, err := a.StreamKeys(t.Context(), user, "192.0.2.5"); err != nil || len(keys) != 0 {
			t.Errorf("%q: %+v %v", user, keys, err)
		}
	}

	// Its use is written now and then.
	c.advance(time.Hour)
	a.StreamUsed(t.Context(), p.ID, "192.0.2.5")
	used := c.now()
	c.advance(time.Minute)
	a.StreamUsed(t.Context(), p.ID, "192.0.2.5")
	all, err := a.StreamPasswords(t.Context())
	if err != nil || len(all) != 1 || !all[0].LastUsed.Equal(used.Truncate(time.Millisecond)) {
		t.Errorf("%+v %v, want %v", all, err, used)
	}

	if !a.StreamValid(t.Context(), p.ID) || a.StreamValid(t.Context(), "other") {
		t.Error("valid is not what there is")
	}
	for _, want := range []bool{true, false} {
		if ok, err := a.RevokeStreamPassword(t.Context(), p.ID); ok != want || err != nil {
			t.Errorf("revoke: %v %v", ok, err)
		}
	}
	if keys, _ := a.StreamKeys(t.Context(), access.Owner, "192.0.2.5"); len(keys) != 0 || a.StreamValid(t.Context(), p.ID) {
		t.Errorf("after it was revoked: %+v", keys)
	}
}

// A disk that fails, or a hub that ends, revokes nothing.
func TestWhatCannotBeReadEndsNoReader(t *testing.T) {
	a, _, db := open(t)
	p, _, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: "recorder"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !a.StreamValid(t.Context(), p.ID) {
		t.Error("the password counts as revoked")
	}
}

func TestWhatIsNoStreamPassword(t *testing.T) {
	a, _, _ := open(t)
	for _, spec := range []access.StreamSpec{
		{}, {Name: strings.Repeat("x", 65)}, {Name: "a\nb"}, {Name: "\xff"}, {Name: "x", Cameras: []string{"../a"}}, {Name: "x", Cameras: []string{"a,b"}},
		{Name: "x", Cameras: make([]string, 65)},
	} {
		var wrong *access.StreamError
		if _, _, err := a.NewStreamPassword(t.Context(), person, spec); !errors.As(err, &wrong) || wrong.Code() == "" || wrong.Hint() == "" {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	program := access.Identity{User: access.Owner, Via: access.ViaToken, Scopes: []access.Scope{access.ScopeAdmin}}
	if _, _, err := a.NewStreamPassword(t.Context(), program, access.StreamSpec{Name: "x"}); !errors.Is(err, access.ErrPerson) {
		t.Errorf("a program made one: %v", err)
	}
	for i := range 33 {
		_, _, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: fmt.Sprint("recorder ", i)})
		if (i < 32) != (err == nil) || i == 32 && !errors.Is(err, access.ErrStreams) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Wrong stream passwords make an address wait, and nobody else; nor who has a right one there.
func TestWrongStreamPasswordsWait(t *testing.T) {
	a, c, _ := open(t)
	for range 100 {
		a.StreamWrong("192.0.2.9")
		a.StreamWrong("127.0.0.1")
	}
	if _, _, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: "recorder"}); err != nil {
		t.Fatal(err)
	}
	keys, err := a.StreamKeys(t.Context(), access.Owner, "192.0.2.9")
	var wait access.WaitError
	if !errors.As(err, &wait) || wait.RetryAfter() <= 0 || len(keys) != 1 {
		t.Errorf("after a hundred: %d, %v", len(keys), err)
	}
	for _, free := range []string{"192.0.2.8", "127.0.0.1", "::1"} {
		if _, err := a.StreamKeys(t.Context(), access.Owner, free); err != nil {
			t.Errorf("%s: %v", free, err)
		}
	}
	c.advance(time.Hour)
	if _, err := a.StreamKeys(t.Context(), access.Owner, "192.0.2.9"); err != nil {
		t.Errorf("after an hour: %v", err)
	}
}

func TestResetEndsStreamPasswords(t *testing.T) {
	a, _, _ := open(t)
	p, _, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: "recorder"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.ResetOwner(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.StreamValid(t.Context(), p.ID) {
		t.Error("it still opens streams")
	}
}
