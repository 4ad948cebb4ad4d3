package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Owner is the one user that exists from the start.
const Owner = "owner"

const (
	// setupLife is how long a setup link works: time to walk to another machine, no more.
	setupLife = 30 * time.Minute
	// setupKept bounds the setup tokens that wait; the oldest go.
	setupKept = 8
	// sessionIdle ends a session that nobody used; sessionLife ends every one.
	sessionIdle = 90 * 24 * time.Hour
	sessionLife = 365 * 24 * time.Hour
	// sessionsKept bounds the sessions of one user; the longest unused go.
	sessionsKept = 100
	// seenEvery is how often a session's last use is written: disks of small machines wear.
	seenEvery = time.Hour
	// secretBytes of randomness are in each token: 2^192 cannot be guessed, and the link stays short.
	secretBytes = 24
)

// DB is what access needs of hub.db.
type DB interface {
	Migrate(ctx context.Context, room string, steps []string) error
	SQL() *sql.DB
}

// Options of Open; zero fields have defaults.
type Options struct {
	Now func() time.Time
	Log *slog.Logger
}

// Access is the list of who may come in. It is safe for concurrent use.
type Access struct {
	db   *sql.DB
	now  func() time.Time
	log  *slog.Logger
	byIP *throttle
	// byUser slows a guess that comes from many addresses. Its threshold is higher, so
	// that a stranger cannot cheaply keep the owner out.
	byUser *throttle
	// byStream slows whoever has a wrong stream password.
	byStream *throttle
	hashing  chan struct{} // size hashesAtOnce: each hash takes 19 MiB
	decoy    string        // compared where there is no password, so that both take as long
}

// steps of the schema; each is applied once, in order. Times are Unix milliseconds.
func steps() []string {
	return []string{
		`CREATE TABLE access_users (id TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL DEFAULT '') STRICT;
		 CREATE TABLE access_setup (hash BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT;
		 CREATE TABLE access_sessions (hash BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES access_users(id) ON DELETE CASCADE,
			created INTEGER NOT NULL, seen INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL) STRICT;
		 INSERT INTO access_users (id, role) VALUES ('owner', 'owner');`,
		`CREATE TABLE access_tokens (id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, user TEXT NOT NULL REFERENCES access_users(id) ON DELETE CASCADE,
			name TEXT NOT NULL, scopes TEXT NOT NULL, cameras TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;`,
		`CREATE TABLE access_streams (id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES access_users(id) ON DELETE CASCADE, name TEXT NOT NULL,
			md5 TEXT NOT NULL, sha256 TEXT NOT NULL, talk INTEGER NOT NULL, cameras TEXT NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;
		 CREATE INDEX access_streams_user ON access_streams (user);`,
	}
}

// Open prepares the tables.
func Open(ctx context.Context, db DB, o Options) (*Access, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := db.Migrate(ctx, "access", steps()); err != nil {
		return nil, fmt.Errorf("access: open: %w", err)
	}
	a := &Access{
		db: db.SQL(), now: o.Now, log: o.Log.With("part", "access"),
		byIP: newThrottle(o.Now, 5), byUser: newThrottle(o.Now, 20), byStream: newThrottle(o.Now, streamTries),
		hashing: make(chan struct{}, hashesAtOnce),
	}
	a.decoy = decoyHash()
	return a, nil
}

// Remote is where a request comes from.
type Remote struct {
	Address string // IP address without port
	Agent   string // User-Agent, for the list of sessions
}

// NewSetupToken makes a token that signs its first bearer in as owner.
func (a *Access) NewSetupToken(ctx context.Context) (token string, expires time.Time, err error) {
	token, expires = secret(), a.now().Add(setupLife)
	err = a.tx(ctx, func(tx *sql.Tx) error { return a.addSetup(ctx, tx, token, expires) })
	if err != nil {
		return "", time.Time{}, fmt.Errorf("access: new setup token: %w", err)
	}
	return token, expires, nil
}

func (a *Access) addSetup(ctx context.Context, tx *sql.Tx, token string, expires time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM access_setup WHERE expires <= ?`, a.now().UnixMilli()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM access_setup WHERE hash NOT IN
		(SELECT hash FROM access_setup ORDER BY expires DESC LIMIT ?)`, setupKept-1); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO access_setup (hash, expires) VALUES (?, ?)`, digest(token), expires.UnixMilli())
	return err
}

// Claim takes a setup token and gives a session of the owner. Of two that claim the
// same token at once one wins.
func (a *Access) Claim(ctx context.Context, token string, from Remote) (session string, id Identity, err error) {
	key := "setup " + network(from.Address)
	if wait := a.byIP.take(key); wait > 0 {
		return "", Identity{}, WaitError{wait}
	}
	err = a.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM access_setup WHERE hash = ? AND expires > ?`, digest(token), a.now().UnixMilli())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n != 1 {
			return ErrLink
		}
		session, err = a.addSession(ctx, tx, Owner, from)
		return err
	})
	if err != nil {
		return "", Identity{}, fmt.Errorf("access: claim: %w", err)
	}
	a.byIP.clear(key)
	a.log.Info("setup link used", "address", from.Address)
	id, err = a.Session(ctx, session)
	return session, id, err
}

// Login takes a password and gives a session.
func (a *Access) Login(ctx context.Context, user, password string, from Remote) (session string, id Identity, err error) {
	ipKey, userKey := "login "+network(from.Address), "login "+clip(user, 64)
	if wait := a.byIP.take(ipKey); wait > 0 {
		return "", Identity{}, WaitError{wait}
	}
	if wait := a.byUser.take(userKey); wait > 0 {
		return "", Identity{}, WaitError{wait}
	}
	var stored string
	err = a.db.QueryRowContext(ctx, `SELECT password FROM access_users WHERE id = ?`, user).Scan(&stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", Identity{}, fmt.Errorf("access: login: %w", err)
	}
	known := stored != ""
	if !known {
		stored = a.decoy
	}
	right, err := a.verify(ctx, stored, password)
	if err != nil {
		return "", Identity{}, fmt.Errorf("access: login: %w", err)
	}
	if !right || !known {
		a.log.Warn("login refused", "user", clip(user, 64), "address", from.Address)
		return "", Identity{}, ErrWrong
	}
	err = a.tx(ctx, func(tx *sql.Tx) error {
		session, err = a.addSession(ctx, tx, user, from)
		return err
	})
	if err != nil {
		return "", Identity{}, fmt.Errorf("access: login: %w", err)
	}
	a.byIP.clear(ipKey)
	a.byUser.clear(userKey)
	id, err = a.Session(ctx, session)
	return session, id, err
}

// HasPassword tells whether the owner has chosen one.
func (a *Access) HasPassword(ctx context.Context) (bool, error) {
	var has bool
	err := a.db.QueryRowContext(ctx, `SELECT password <> '' FROM access_users WHERE id = ?`, Owner).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("access: read owner: %w", err)
	}
	return has, nil
}

// SetPassword gives the user a new password. Where one is set already, current must
// be it, unless the person came in by the admin socket. All other sessions end.
func (a *Access) SetPassword(ctx context.Context, id Identity, current, password string) error {
	if !id.Person() {
		return ErrPerson
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	var stored string
	if err := a.db.QueryRowContext(ctx, `SELECT password FROM access_users WHERE id = ?`, id.User).Scan(&stored); err != nil {
		return fmt.Errorf("access: set password: %w", err)
	}
	if stored != "" && id.Via != ViaSocket {
		key := "change " + clip(id.User, 64)
		if wait := a.byIP.take(key); wait > 0 {
			return WaitError{wait}
		}
		right, err := a.verify(ctx, stored, current)
		if err != nil {
			return fmt.Errorf("access: set password: %w", err)
		}
		if !right {
			return ErrWrong
		}
		a.byIP.clear(key)
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return fmt.Errorf("access: set password: %w", err)
	}
	err = a.tx(ctx, func(tx *sql.Tx) error {
		// The old hash in the condition: of two changes at once the second is told.
		res, err := tx.ExecContext(ctx, `UPDATE access_users SET password = ? WHERE id = ? AND password = ?`, hash, id.User, stored)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, ErrWrong)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM access_sessions WHERE user = ? AND hash IS NOT ?`, id.User, id.session)
		return err
	})
	if err != nil {
		return fmt.Errorf("access: set password: %w", err)
	}
	a.log.Info("password changed", "user", id.User)
	return nil
}

// ResetOwner forgets the owner's password, ends all sessions, tokens, stream passwords and
// setup links, and gives a new setup token: what the person at the machine does who lost the
// password, or no longer knows who else is in the house.
func (a *Access) ResetOwner(ctx context.Context) (token string, expires time.Time, err error) {
	token, expires = secret(), a.now().Add(setupLife)
	err = a.tx(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`UPDATE access_users SET password = '' WHERE id = 'owner'`,
			`DELETE FROM access_sessions`,
			`DELETE FROM access_tokens`,
			`DELETE FROM access_streams`,
			`DELETE FROM access_setup`,
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return a.addSetup(ctx, tx, token, expires)
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("access: reset owner: %w", err)
	}
	a.log.Warn("owner reset: the password is gone, every session, token and stream password ended")
	return token, expires, nil
}

func (a *Access) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// secret is random text for URLs and cookies.
func secret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails: it ends the process where the machine has no randomness
	return base64.RawURLEncoding.EncodeToString(b)
}

// digest is what is stored of a secret. One round suffices, since a secret is random;
// and a lookup by digest tells nothing by its timing.
func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func clip(s string, n int) string { return s[:min(len(s), n)] }
