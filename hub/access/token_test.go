package access_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

var person = access.Identity{User: access.Owner, Role: access.RoleOwner, Via: access.ViaSession}

func viewer(name string) access.TokenSpec {
	return access.TokenSpec{Name: name, Scopes: []access.Scope{access.ScopeView}}
}

func TestToken(t *testing.T) {
	a, c, db := open(t)
	spec := access.TokenSpec{Name: "kitchen tablet", Scopes: []access.Scope{access.ScopeControl, access.ScopeView, access.ScopeView},
		Cameras: []string{"gate", "front_door"}, Expires: c.now().Add(time.Hour)}
	made, bearer, err := a.NewToken(t.Context(), person, spec)
	if err != nil || !strings.HasPrefix(bearer, "plt_") || len(bearer) != 36 || made.ID == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	id, err := a.Bearer(t.Context(), bearer)
	if err != nil || id.User != access.Owner || id.Role != access.RoleMember || id.Via != access.ViaToken || id.Token != made.ID || id.Person() {
		t.Fatalf("%+v, %v", id, err)
	}
	for s, want := range map[access.Scope]bool{access.ScopeView: true, access.ScopeControl: true, access.ScopeTalk: false, access.ScopeConfig: false, access.ScopeAdmin: false, "other": false, "": false} {
		if id.May(s) != want {
			t.Errorf("may %s: %v", s, !want)
		}
	}
	if !id.Sees("gate") || !id.Sees("front_door") || id.Sees("shed") || id.Sees("") || id.Everywhere() {
		t.Errorf("sees %v", id.Cameras)
	}
	var dump string
	if err := db.SQL().QueryRowContext(t.Context(), `SELECT hex(hash) || CAST(hash AS TEXT) || id || name || scopes || cameras FROM access_tokens`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(dump, bearer) || strings.Contains(dump, bearer[4:]) {
		t.Error("hub.db holds the token in clear")
	}
	if !a.Valid(t.Context(), id) {
		t.Error("it is not valid")
	}
	c.advance(time.Hour - time.Millisecond)
	if _, err := a.Bearer(t.Context(), bearer); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	c.advance(time.Millisecond)
	if _, err := a.Bearer(t.Context(), bearer); !errors.Is(err, access.ErrTokenOld) {
		t.Errorf("at its end: %v", err)
	}
	if a.Valid(t.Context(), id) {
		t.Error("it is valid after its end")
	}
}

func TestWrongTokens(t *testing.T) {
	a, _, _ := open(t)
	_, bearer, err := a.NewToken(t.Context(), person, viewer("x"))
	if err != nil {
		t.Fatal(err)
	}
	session, _ := owner(t, a)
	for _, wrong := range []string{"", "plt_", bearer[4:], bearer + "A", bearer[:len(bearer)-1], strings.ToUpper(bearer), "plt_" + session, session, "plt_" + strings.Repeat("A", 5000), "' OR 1=1 --"} {
		if _, err := a.Bearer(t.Context(), wrong); !errors.Is(err, access.ErrToken) {
			t.Errorf("%.40q: %v", wrong, err)
		}
	}
	if _, err := a.Session(t.Context(), bearer); !errors.Is(err, access.ErrLogin) {
		t.Errorf("a token as a session: %v", err)
	}
}

func TestRevokedToken(t *testing.T) {
	a, _, _ := open(t)
	made, bearer, err := a.NewToken(t.Context(), person, viewer("x"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.Bearer(t.Context(), bearer)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if ok, err := a.RevokeToken(t.Context(), made.ID); ok != want || err != nil {
			t.Errorf("revoke %d: %v, %v", i, ok, err)
		}
	}
	if _, err := a.Bearer(t.Context(), bearer); !errors.Is(err, access.ErrToken) || a.Valid(t.Context(), id) {
		t.Errorf("revoked: %v", err)
	}
}

func TestTokenSpecs(t *testing.T) {
	a, c, _ := open(t)
	for name, spec := range map[string]access.TokenSpec{
		"name":      {Scopes: []access.Scope{access.ScopeView}},
		"name ":     {Name: strings.Repeat("x", 65), Scopes: []access.Scope{access.ScopeView}},
		"name  ":    {Name: "x\ny", Scopes: []access.Scope{access.ScopeView}},
		"name   ":   {Name: "x\xff", Scopes: []access.Scope{access.ScopeView}},
		"scopes":    {Name: "x"},
		"scopes ":   {Name: "x", Scopes: []access.Scope{"view,admin"}},
		"scopes  ":  {Name: "x", Scopes: []access.Scope{access.ScopeAdmin}, Cameras: []string{"gate"}},
		"scopes   ": {Name: "x", Scopes: []access.Scope{access.ScopeView, access.ScopeConfig}, Cameras: []string{"gate"}},
		"cameras":   {Name: "x", Scopes: []access.Scope{access.ScopeView}, Cameras: []string{"gate,shed"}},
		"cameras ":  {Name: "x", Scopes: []access.Scope{access.ScopeView}, Cameras: []string{""}},
		"cameras  ": {Name: "x", Scopes: []access.Scope{access.ScopeView}, Cameras: slices.Repeat([]string{"a"}, 1000)},
		"expires":   {Name: "x", Scopes: []access.Scope{access.ScopeView}, Expires: c.now()},
	} {
		_, _, err := a.NewToken(t.Context(), person, spec)
		var wrong *access.TokenError
		name = strings.TrimSpace(name)
		if name == "cameras" && len(spec.Cameras) == 1000 { // all the same one
			if err != nil {
				t.Errorf("one camera, a thousand times: %v", err)
			}
			continue
		}
		if !errors.As(err, &wrong) || wrong.Field != name || wrong.Code() != "E-TOKEN-INVALID" || wrong.Hint() == "" {
			t.Errorf("%s, %+v: %v", name, spec, err)
		}
	}
}

// TestTokensMakeNoTokens: nor do they change a password; a stolen one is ended by revoking it.
func TestTokensMakeNoTokens(t *testing.T) {
	a, _, _ := open(t)
	_, bearer, err := a.NewToken(t.Context(), person, access.TokenSpec{Name: "x", Scopes: []access.Scope{access.ScopeAdmin}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.Bearer(t.Context(), bearer)
	if err != nil || id.Role != access.RoleAdmin || !id.May(access.ScopeView) || !id.May(access.ScopeConfig) {
		t.Fatalf("%+v, %v", id, err)
	}
	if _, _, err := a.NewToken(t.Context(), id, viewer("y")); !errors.Is(err, access.ErrPerson) {
		t.Errorf("a token made another: %v", err)
	}
	if err := a.SetPassword(t.Context(), id, "", pass); !errors.Is(err, access.ErrPerson) {
		t.Errorf("a token changed the password: %v", err)
	}
	if _, _, err := a.ResetOwner(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bearer(t.Context(), bearer); !errors.Is(err, access.ErrToken) {
		t.Errorf("after a reset of the owner: %v", err)
	}
}

func TestTokensAreListedAndCounted(t *testing.T) {
	a, c, _ := open(t)
	var bearer string
	for i := range 100 {
		c.advance(time.Second)
		_, b, err := a.NewToken(t.Context(), person, viewer(fmt.Sprint("token ", i)))
		if err != nil {
			t.Fatal(err)
		}
		bearer = b
	}
	if _, _, err := a.NewToken(t.Context(), person, viewer("one more")); !errors.Is(err, access.ErrTokens) {
		t.Errorf("101: %v", err)
	}
	list, err := a.Tokens(t.Context())
	if err != nil || len(list) != 100 || list[0].Name != "token 99" || !list[0].LastUsed.IsZero() || !list[0].Expires.IsZero() || !list[0].Created.Equal(c.now()) {
		t.Fatalf("%d, %+v, %v", len(list), list[0], err)
	}
	lastUsed := func() time.Time {
		t.Helper()
		if _, err := a.Bearer(t.Context(), bearer); err != nil {
			t.Fatal(err)
		}
		list, err := a.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list[0].LastUsed
	}
	first := lastUsed()
	if !first.Equal(c.now()) {
		t.Errorf("last used %s, want %s", first, c.now())
	}
	c.advance(9 * time.Minute)
	if at := lastUsed(); !at.Equal(first) {
		t.Errorf("written again after 9 min: %s", at)
	}
	c.advance(time.Minute)
	if at := lastUsed(); !at.Equal(c.now()) {
		t.Errorf("last used %s, want %s", at, c.now())
	}
}

func TestPeopleMayByRole(t *testing.T) {
	for role, want := range map[access.Role][]access.Scope{
		access.RoleOwner: access.Scopes(), access.RoleAdmin: access.Scopes(), access.RoleGuest: nil, "king": nil,
		access.RoleMember: {access.ScopeView, access.ScopeTalk, access.ScopeControl},
	} {
		id := access.Identity{Role: role, Via: access.ViaSession}
		for _, s := range access.Scopes() {
			if id.May(s) != slices.Contains(want, s) {
				t.Errorf("%s may %s: %v", role, s, id.May(s))
			}
		}
		if !id.Everywhere() || !id.Person() {
			t.Errorf("%s is kept to some cameras", role)
		}
	}
}
