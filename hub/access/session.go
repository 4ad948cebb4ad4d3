package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Role says what a person may do. Member and guest exist as words; nobody is given
// them yet.
type Role string

// The roles, each allowed all that the next one is.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
	RoleGuest  Role = "guest"
)

// Allows tells whether a person of this role may do what needs the other. An unknown
// role may nothing, and what needs an unknown role is for the owner.
func (r Role) Allows(need Role) bool {
	rank := func(r Role, unknown int) int {
		switch r {
		case RoleOwner:
			return 4
		case RoleAdmin:
			return 3
		case RoleMember:
			return 2
		case RoleGuest:
			return 1
		}
		return unknown
	}
	return rank(r, 0) >= rank(need, 4)
}

// The ways in.
const (
	ViaSession = "session" // a cookie
	ViaSocket  = "socket"  // the admin socket: the same uid on the same machine
	ViaToken   = "token"   // a program that bears one
)

// Identity is who is behind a request: a person, or a program with a token. What a
// program may is asked of May and Sees; its Role is no more than its scopes give.
type Identity struct {
	User        string
	Role        Role
	HasPassword bool
	Via         string
	Token       string   // id of the token
	Scopes      []Scope  // of the token
	Cameras     []string // that the token is for; empty: the whole house
	session     []byte   // digest of the session's secret
}

// SocketIdentity is the owner, let in because the kernel says that the peer is us.
func (a *Access) SocketIdentity(ctx context.Context) (Identity, error) {
	has, err := a.HasPassword(ctx)
	return Identity{User: Owner, Role: RoleOwner, HasPassword: has, Via: ViaSocket}, err
}

func (a *Access) addSession(ctx context.Context, tx *sql.Tx, user string, from Remote) (string, error) {
	now := a.now()
	if _, err := tx.ExecContext(ctx, `DELETE FROM access_sessions WHERE seen <= ? OR created <= ?`,
		now.Add(-sessionIdle).UnixMilli(), now.Add(-sessionLife).UnixMilli()); err != nil {
		return "", err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM access_sessions WHERE user = ? AND hash NOT IN
		(SELECT hash FROM access_sessions WHERE user = ? ORDER BY seen DESC LIMIT ?)`, user, user, sessionsKept-1); err != nil {
		return "", err
	}
	s := secret()
	_, err := tx.ExecContext(ctx, `INSERT INTO access_sessions (hash, user, created, seen, address, agent) VALUES (?, ?, ?, ?, ?, ?)`,
		digest(s), user, now.UnixMilli(), now.UnixMilli(), clip(from.Address, 64), clip(from.Agent, 200))
	return s, err
}

// Session finds who holds the secret of a session; ErrLogin if nobody does.
func (a *Access) Session(ctx context.Context, session string) (Identity, error) {
	if session == "" || len(session) > 64 {
		return Identity{}, ErrLogin
	}
	id := Identity{Via: ViaSession, session: digest(session)}
	var created, seen int64
	err := a.db.QueryRowContext(ctx, `SELECT u.id, u.role, u.password <> '', s.created, s.seen
		FROM access_sessions s JOIN access_users u ON u.id = s.user WHERE s.hash = ?`, id.session).
		Scan(&id.User, &id.Role, &id.HasPassword, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, ErrLogin
	}
	if err != nil {
		return Identity{}, fmt.Errorf("access: session: %w", err)
	}
	now := a.now()
	if now.Sub(time.UnixMilli(seen)) >= sessionIdle || now.Sub(time.UnixMilli(created)) >= sessionLife {
		return Identity{}, ErrLogin
	}
	if now.Sub(time.UnixMilli(seen)) >= seenEvery {
		// A full disk must not keep the owner out: the session lives on with its old time.
		if _, err := a.db.ExecContext(ctx, `UPDATE access_sessions SET seen = ? WHERE hash = ?`, now.UnixMilli(), id.session); err != nil {
			a.log.Warn("session use not written", "err", err)
		}
	}
	return id, nil
}

// SessionLife is how long a browser should keep its cookie.
func SessionLife() time.Duration { return sessionLife }

// Valid tells whether the identity still holds: its session may have ended since, its
// token may be revoked or too old.
func (a *Access) Valid(ctx context.Context, id Identity) bool {
	var one int
	var err error
	switch id.Via {
	case ViaSession:
		err = a.db.QueryRowContext(ctx, `SELECT 1 FROM access_sessions WHERE hash = ?`, id.session).Scan(&one)
	case ViaToken:
		err = a.db.QueryRowContext(ctx, `SELECT 1 FROM access_tokens WHERE id = ? AND (expires = 0 OR expires > ?)`,
			id.Token, a.now().UnixMilli()).Scan(&one)
	}
	return !errors.Is(err, sql.ErrNoRows)
}

// Logout ends the session.
func (a *Access) Logout(ctx context.Context, id Identity) error {
	if _, err := a.db.ExecContext(ctx, `DELETE FROM access_sessions WHERE hash = ?`, id.session); err != nil {
		return fmt.Errorf("access: logout: %w", err)
	}
	return nil
}

type contextKey struct{}

// With hands the identity down with the request.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From finds who asks; ok is false where nobody is signed in.
func From(ctx context.Context) (id Identity, ok bool) {
	id, ok = ctx.Value(contextKey{}).(Identity)
	return id, ok
}
