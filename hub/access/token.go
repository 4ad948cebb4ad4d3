package access

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// tokenPrefix lets people, and programs that look for leaked secrets, see what it is.
const tokenPrefix = "plt_"

const (
	// tokensKept bounds the tokens of a house; a further one is refused, none is forgotten.
	tokensKept = 100
	// tokenName and tokenCameras bound what one token is described by.
	tokenName    = 64 // characters
	tokenCameras = 64
	// tokenSeenEvery is how often a token's last use is written; a program may ask each second.
	tokenSeenEvery = 10 * time.Minute
)

// Scope is one kind of thing that a token may do.
type Scope string

// The scopes. Each is for itself, but admin, which includes the others.
const (
	ScopeView    Scope = "view"    // see pictures, events and how things are
	ScopeTalk    Scope = "talk"    // speak to the door
	ScopeControl Scope = "control" // ring, mute, keep quiet, look at a camera afresh
	ScopeConfig  Scope = "config"  // read the config and check one
	ScopeAdmin   Scope = "admin"   // all of it, plugins and secrets of hooks too
)

// Scopes lists all.
func Scopes() []Scope {
	return []Scope{ScopeView, ScopeTalk, ScopeControl, ScopeConfig, ScopeAdmin}
}

// role is the least that a person needs for what the scope is for.
func (s Scope) role() Role {
	switch s {
	case ScopeView, ScopeTalk, ScopeControl:
		return RoleMember
	}
	return RoleAdmin
}

// May tells whether who asks may do what the scope is for, somewhere; Sees and
// Everywhere tell where.
func (id Identity) May(s Scope) bool {
	if id.Via != ViaToken {
		return id.Role.Allows(s.role())
	}
	return slices.Contains(id.Scopes, s) || slices.Contains(id.Scopes, ScopeAdmin)
}

// Sees tells whether the camera is among those that the asker is let to.
func (id Identity) Sees(camera string) bool {
	return id.Everywhere() || slices.Contains(id.Cameras, camera)
}

// Everywhere tells whether the asker is let to the whole house, not to some cameras.
func (id Identity) Everywhere() bool { return len(id.Cameras) == 0 }

// Person tells whether somebody is there, not a program with a token.
func (id Identity) Person() bool { return id.Via != ViaToken }

// TokenSpec is what a new token is to be.
type TokenSpec struct {
	Name    string
	Scopes  []Scope
	Cameras []string  // none: the whole house
	Expires time.Time // zero: never
}

// Token is one that exists, without its secret.
type Token struct {
	ID string
	TokenSpec
	Created  time.Time
	LastUsed time.Time // zero: never; to ten minutes
}

// TokenError says what is wrong with the spec of a token.
type TokenError struct{ Field, Message string }

func (e *TokenError) Error() string { return "token: " + e.Field + ": " + e.Message }

// Code names the error.
func (e *TokenError) Code() string { return "E-TOKEN-INVALID" }

// Hint shows what is possible.
func (e *TokenError) Hint() string {
	return "Scopes are view, talk, control, config and admin; as porchlight tokens new \"kitchen tablet\" --scope view,control --expires 90d."
}

func (s *TokenSpec) check(now time.Time) error {
	n := utf8.RuneCountInString(s.Name)
	switch {
	case n == 0 || n > tokenName || !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return &TokenError{"name", fmt.Sprintf("want 1 to %d characters, so that you know it again", tokenName)}
	case len(s.Scopes) == 0:
		return &TokenError{"scopes", "want at least one"}
	case len(s.Cameras) > tokenCameras:
		return &TokenError{"cameras", fmt.Sprintf("at most %d, or none for the whole house", tokenCameras)}
	case !s.Expires.IsZero() && !s.Expires.After(now):
		return &TokenError{"expires", "this is in the past"}
	}
	for _, scope := range s.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return &TokenError{"scopes", fmt.Sprintf("there is no scope %.32q", scope)}
		}
		if len(s.Cameras) > 0 && scope.role() == RoleAdmin {
			return &TokenError{"scopes", string(scope) + " is about the whole house, so it cannot be for some cameras only"}
		}
	}
	for _, c := range s.Cameras {
		if c == "" || len(c) > 64 || strings.ContainsFunc(c, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			return &TokenError{"cameras", fmt.Sprintf("%.64q is no id of a camera", c)}
		}
	}
	return nil
}

// NewToken makes one. The secret is told this once and never again. Only a person makes
// tokens: a stolen one must not leave others behind.
func (a *Access) NewToken(ctx context.Context, by Identity, spec TokenSpec) (t Token, bearer string, err error) {
	if !by.Person() {
		return Token{}, "", ErrPerson
	}
	spec.Scopes, spec.Cameras = unique(spec.Scopes), unique(spec.Cameras)
	now := a.now()
	if err := spec.check(now); err != nil {
		return Token{}, "", err
	}
	raw := make([]byte, 6) // names a token of at most tokensKept; it is no secret
	rand.Read(raw)         // never fails
	t = Token{ID: hex.EncodeToString(raw), TokenSpec: spec, Created: time.UnixMilli(now.UnixMilli())}
	bearer = tokenPrefix + secret()
	err = a.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM access_tokens`).Scan(&n); err != nil {
			return err
		}
		if n >= tokensKept {
			return ErrTokens
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO access_tokens (id, hash, user, name, scopes, cameras, created, expires, seen)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`, t.ID, digest(bearer), by.User, spec.Name, list(spec.Scopes), list(spec.Cameras),
			now.UnixMilli(), millis(spec.Expires))
		return err
	})
	if err != nil {
		return Token{}, "", fmt.Errorf("access: new token: %w", err)
	}
	a.log.Info("token made", "token", t.ID, "name", spec.Name, "scopes", list(spec.Scopes), "cameras", list(spec.Cameras), "by", by.User)
	return t, bearer, nil
}

// Tokens lists all, the newest first.
func (a *Access) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, name, scopes, cameras, created, expires, seen FROM access_tokens ORDER BY created DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("access: list tokens: %w", err)
	}
	defer rows.Close()
	var out []Token
	for rows.Next() {
		var t Token
		var scopes, cameras string
		var created, expires, seen int64
		if err := rows.Scan(&t.ID, &t.Name, &scopes, &cameras, &created, &expires, &seen); err != nil {
			return nil, fmt.Errorf("access: list tokens: %w", err)
		}
		t.Scopes, t.Cameras = split[Scope](scopes), split[string](cameras)
		t.Created, t.Expires, t.LastUsed = moment(created), moment(expires), moment(seen)
		out = append(out, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("access: list tokens: %w", err)
	}
	return out, nil
}

// RevokeToken makes it worthless at once; ok is false where there is none of that id.
func (a *Access) RevokeToken(ctx context.Context, id string) (ok bool, err error) {
	res, err := a.db.ExecContext(ctx, `DELETE FROM access_tokens WHERE id = ?`, id)
	if err != nil {
		return false, fmt.Errorf("access: revoke token: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("access: revoke token: %w", err)
	}
	if n > 0 {
		a.log.Info("token revoked", "token", id)
	}
	return n > 0, nil
}

// Bearer finds whose token it is: ErrToken if nobody's, ErrTokenOld once it has expired.
func (a *Access) Bearer(ctx context.Context, token string) (Identity, error) {
	if len(token) > 64 || !strings.HasPrefix(token, tokenPrefix) {
		return Identity{}, ErrToken
	}
	id := Identity{Via: ViaToken}
	var scopes, cameras string
	var expires, seen int64
	err := a.db.QueryRowContext(ctx, `SELECT t.id, t.scopes, t.cameras, t.expires, t.seen, u.id, u.password <> ''
		FROM access_tokens t JOIN access_users u ON u.id = t.user WHERE t.hash = ?`, digest(token)).
		Scan(&id.Token, &scopes, &cameras, &expires, &seen, &id.User, &id.HasPassword)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, ErrToken
	}
	if err != nil {
		return Identity{}, fmt.Errorf("access: token: %w", err)
	}
	now := a.now()
	if expires != 0 && now.UnixMilli() >= expires {
		return Identity{}, ErrTokenOld
	}
	id.Scopes, id.Cameras, id.Role = split[Scope](scopes), split[string](cameras), RoleGuest
	for _, s := range id.Scopes {
		if s.role().Allows(id.Role) {
			id.Role = s.role()
		}
	}
	if now.Sub(time.UnixMilli(seen)) >= tokenSeenEvery {
		// A full disk keeps nobody out.
		if _, err := a.db.ExecContext(ctx, `UPDATE access_tokens SET seen = ? WHERE id = ?`, now.UnixMilli(), id.Token); err != nil {
			a.log.Warn("token use not written", "token", id.Token, "err", err)
		}
	}
	return id, nil
}

func unique[T ~string](in []T) []T {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func list[T ~string](in []T) string {
	parts := make([]string, 0, len(in))
	for _, s := range in {
		parts = append(parts, string(s))
	}
	return strings.Join(parts, ",")
}

func split[T ~string](s string) []T {
	var out []T
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			out = append(out, T(part))
		}
	}
	return out
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
