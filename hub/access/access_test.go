package access_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/store"
)

// clock is set by hand.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func open(t *testing.T) (*access.Access, *clock, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := newClock()
	a, err := access.Open(t.Context(), db, access.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return a, c, db
}

func from(address string) access.Remote { return access.Remote{Address: address, Agent: "test"} }

const pass = "a porch light burns"

// owner claims a link and chooses the password.
func owner(t *testing.T, a *access.Access) (session string, id access.Identity) {
	t.Helper()
	token, _, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, id, err = a.Claim(t.Context(), token, from("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPassword(t.Context(), id, "", pass); err != nil {
		t.Fatal(err)
	}
	return session, id
}

func TestSetupTokenWorksOnce(t *testing.T) {
	a, _, _ := open(t)
	token, _, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, id, err := a.Claim(t.Context(), token, from("127.0.0.1"))
	if err != nil || session == "" || id.User != access.Owner || id.Role != access.RoleOwner || id.HasPassword {
		t.Fatalf("claim: %+v, %v", id, err)
	}
	if _, _, err := a.Claim(t.Context(), token, from("127.0.0.1")); !errors.Is(err, access.ErrLink) {
		t.Fatalf("second claim: %v", err)
	}
	if got, err := a.Session(t.Context(), session); err != nil || got.User != access.Owner {
		t.Fatalf("session: %+v, %v", got, err)
	}
}

func TestSetupTokenClaimedByManyAtOnce(t *testing.T) {
	a, _, _ := open(t)
	token, _, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			// Each from an address of its own, so that no delay decides.
			if _, _, err := a.Claim(context.WithoutCancel(t.Context()), token, from("10.0.0."+string(rune('0'+i%10))+string(rune('0'+i/10)))); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d claims won", won.Load())
	}
}

func TestSetupTokenExpires(t *testing.T) {
	a, c, _ := open(t)
	token, expires, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if expires.Sub(c.now()) != 30*time.Minute {
		t.Fatalf("expires in %s", expires.Sub(c.now()))
	}
	c.advance(30 * time.Minute)
	if _, _, err := a.Claim(t.Context(), token, from("127.0.0.1")); !errors.Is(err, access.ErrLink) {
		t.Fatalf("claim after 30 min: %v", err)
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	a, _, db := open(t)
	session, _ := owner(t, a)
	token, _, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var dump strings.Builder
	for _, q := range []string{
		`SELECT id || password FROM access_users`,
		`SELECT CAST(hash AS TEXT) || hex(hash) FROM access_setup`,
		`SELECT CAST(hash AS TEXT) || hex(hash) || agent FROM access_sessions`,
	} {
		rows, err := db.SQL().QueryContext(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			dump.WriteString(s + "\n")
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, secret := range []string{session, token, pass} {
		if strings.Contains(dump.String(), secret) {
			t.Errorf("hub.db holds %q in clear", secret)
		}
	}
	if !strings.Contains(dump.String(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("no argon2id hash in\n%s", dump.String())
	}
}

func TestLogin(t *testing.T) {
	a, _, _ := open(t)
	if _, _, err := a.Login(t.Context(), access.Owner, "", from("127.0.0.1")); !errors.Is(err, access.ErrWrong) {
		t.Fatalf("login without a password set: %v", err)
	}
	owner(t, a)
	for _, try := range []struct{ user, password string }{
		{access.Owner, "wrong"}, {"nobody", pass}, {access.Owner, ""}, {access.Owner, strings.Repeat("x", 5000)},
	} {
		if _, _, err := a.Login(t.Context(), try.user, try.password, from("192.0.2.1")); !errors.Is(err, access.ErrWrong) {
			t.Errorf("login %q: %v", try.user, err)
		}
	}
	session, id, err := a.Login(t.Context(), access.Owner, pass, from("192.0.2.1"))
	if err != nil || !id.HasPassword || id.Via != access.ViaSession {
		t.Fatalf("login: %+v, %v", id, err)
	}
	if err := a.Logout(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Session(t.Context(), session); !errors.Is(err, access.ErrLogin) {
		t.Fatalf("session after logout: %v", err)
	}
	if a.Valid(t.Context(), id) {
		t.Error("identity still valid after logout")
	}
}

func TestSamePasswordByAnotherKeyboard(t *testing.T) {
	a, _, _ := open(t)
	_, id := owner(t, a)
	// é as one code point, then as e and an accent (Unicode NFC and NFD).
	if err := a.SetPassword(t.Context(), id, pass, "caf\u00e9 au lait"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(t.Context(), access.Owner, "cafe\u0301 au lait", from("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
}

func TestFiveTriesThenDelay(t *testing.T) {
	a, c, _ := open(t)
	owner(t, a)
	stranger := from("192.0.2.7")
	for i := range 5 {
		if _, _, err := a.Login(t.Context(), access.Owner, "wrong", stranger); !errors.Is(err, access.ErrWrong) {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	var wait access.WaitError
	_, _, err := a.Login(t.Context(), access.Owner, pass, stranger)
	if !errors.As(err, &wait) || wait.Wait != 30*time.Second {
		t.Fatalf("try 6, with the right password: %v", err)
	}
	if _, _, err := a.Login(t.Context(), access.Owner, pass, from("192.0.2.8")); err != nil {
		t.Fatalf("another address: %v", err)
	}
	c.advance(30*time.Second - time.Millisecond)
	if _, _, err := a.Login(t.Context(), access.Owner, pass, stranger); !errors.Is(err, access.ErrWait) {
		t.Fatalf("a moment too early: %v", err)
	}
	c.advance(time.Millisecond)
	if _, _, err := a.Login(t.Context(), access.Owner, "wrong", stranger); !errors.Is(err, access.ErrWrong) {
		t.Fatalf("after the delay: %v", err)
	}
	_, _, err = a.Login(t.Context(), access.Owner, pass, stranger)
	if !errors.As(err, &wait) || wait.Wait != time.Minute {
		t.Fatalf("the delay doubles: %v", err)
	}
	c.advance(time.Minute)
	if _, _, err := a.Login(t.Context(), access.Owner, pass, stranger); err != nil {
		t.Fatalf("right password after the delay: %v", err)
	}
	for i := range 5 {
		if _, _, err := a.Login(t.Context(), access.Owner, "wrong", stranger); !errors.Is(err, access.ErrWrong) {
			t.Fatalf("a success starts anew, try %d: %v", i+1, err)
		}
	}
}

func TestOneIPv6NetworkIsOneStranger(t *testing.T) {
	a, _, _ := open(t)
	owner(t, a)
	for i := range 5 {
		if _, _, err := a.Login(t.Context(), access.Owner, "wrong", from("2001:db8::"+string(rune('1'+i)))); !errors.Is(err, access.ErrWrong) {
			t.Fatal(err)
		}
	}
	if _, _, err := a.Login(t.Context(), access.Owner, pass, from("2001:db8::ffff")); !errors.Is(err, access.ErrWait) {
		t.Fatalf("sixth address of the /64: %v", err)
	}
}

func TestManyAddressesAreSlowedByUser(t *testing.T) {
	a, _, _ := open(t)
	owner(t, a)
	for i := range 20 {
		if _, _, err := a.Login(t.Context(), access.Owner, "wrong", from("192.0.2."+string(rune('0'+i/10))+string(rune('0'+i%10)))); !errors.Is(err, access.ErrWrong) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if _, _, err := a.Login(t.Context(), access.Owner, pass, from("198.51.100.1")); !errors.Is(err, access.ErrWait) {
		t.Fatalf("try 21: %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	a, _, _ := open(t)
	session, id := owner(t, a)
	other, _, err := a.Login(t.Context(), access.Owner, pass, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, weak := range []string{"", "short", "aaaaaaaaaaaa", strings.Repeat("long", 300), "bad\xffutf8bytes"} {
		if err := a.SetPassword(t.Context(), id, pass, weak); !errors.Is(err, access.ErrWeak) {
			t.Errorf("password %.20q: %v", weak, err)
		}
	}
	if err := a.SetPassword(t.Context(), id, "wrong", "another sentence"); !errors.Is(err, access.ErrWrong) {
		t.Fatalf("wrong current: %v", err)
	}
	if err := a.SetPassword(t.Context(), id, pass, "another sentence"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Session(t.Context(), session); err != nil {
		t.Fatalf("own session: %v", err)
	}
	if _, err := a.Session(t.Context(), other); !errors.Is(err, access.ErrLogin) {
		t.Fatalf("other session: %v", err)
	}
	socket, err := a.SocketIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPassword(t.Context(), socket, "", "a third sentence"); err != nil {
		t.Fatalf("by the socket: %v", err)
	}
	if _, err := a.Session(t.Context(), session); !errors.Is(err, access.ErrLogin) {
		t.Fatalf("session after a change by the socket: %v", err)
	}
}

func TestResetOwner(t *testing.T) {
	a, _, _ := open(t)
	session, id := owner(t, a)
	waiting, _, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := a.ResetOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Session(t.Context(), session); !errors.Is(err, access.ErrLogin) || a.Valid(t.Context(), id) {
		t.Fatalf("old session: %v", err)
	}
	if _, _, err := a.Login(t.Context(), access.Owner, pass, from("127.0.0.1")); !errors.Is(err, access.ErrWrong) {
		t.Fatalf("old password: %v", err)
	}
	if _, _, err := a.Claim(t.Context(), waiting, from("127.0.0.1")); !errors.Is(err, access.ErrLink) {
		t.Fatalf("old link: %v", err)
	}
	_, id, err = a.Claim(t.Context(), token, from("127.0.0.1"))
	if err != nil || id.HasPassword {
		t.Fatalf("new link: %+v, %v", id, err)
	}
	if err := a.SetPassword(t.Context(), id, "", "a fresh beginning"); err != nil {
		t.Fatal(err)
	}
}

func TestSessionEnds(t *testing.T) {
	a, c, _ := open(t)
	session, _ := owner(t, a)
	for range 4 {
		c.advance(89 * 24 * time.Hour)
		if _, err := a.Session(t.Context(), session); err != nil {
			t.Fatalf("used within 90 days: %v", err)
		}
	}
	c.advance(10 * 24 * time.Hour)
	if _, err := a.Session(t.Context(), session); !errors.Is(err, access.ErrLogin) {
		t.Fatalf("after a year: %v", err)
	}
	session, _, err := a.Login(t.Context(), access.Owner, pass, from("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	c.advance(90 * 24 * time.Hour)
	if _, err := a.Session(t.Context(), session); !errors.Is(err, access.ErrLogin) {
		t.Fatalf("unused for 90 days: %v", err)
	}
}

func TestSessionsOutliveTheHub(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.db")
	db, err := store.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.Open(t.Context(), db, access.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session, _ := owner(t, a)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if a, err = access.Open(t.Context(), db, access.Options{}); err != nil {
		t.Fatal(err)
	}
	if id, err := a.Session(t.Context(), session); err != nil || !id.HasPassword {
		t.Fatalf("session: %+v, %v", id, err)
	}
}

func TestRoles(t *testing.T) {
	order := []access.Role{access.RoleGuest, access.RoleMember, access.RoleAdmin, access.RoleOwner}
	for i, r := range order {
		for j, need := range order {
			if got := r.Allows(need); got != (i >= j) {
				t.Errorf("%s allows %s: %v", r, need, got)
			}
		}
	}
	if access.Role("king").Allows(access.RoleGuest) || access.Role("").Allows(access.RoleGuest) {
		t.Error("an unknown role may something")
	}
	if access.RoleAdmin.Allows("king") || !access.RoleOwner.Allows("king") {
		t.Error("what needs an unknown role is for the owner alone")
	}
}
