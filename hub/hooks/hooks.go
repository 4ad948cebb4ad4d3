package hooks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// tokenBytes of randomness: 2^192 cannot be guessed, and the URL stays short.
	tokenBytes = 24
	// tokenChars is how long that is as text.
	tokenChars = tokenBytes * 4 / 3
	// seenEvery is how often the last use is written; a press comes seldom, a fault in a
	// relay does not.
	seenEvery = 10 * time.Second
)

// DB is what hooks need of hub.db.
type DB interface {
	Migrate(ctx context.Context, room string, steps []string) error
	SQL() *sql.DB
}

// Entry is the hook of one camera.
type Entry struct {
	Camera   string
	Token    string
	Created  time.Time
	LastUsed time.Time // zero: never
}

// Hooks is the list. It is safe for concurrent use.
type Hooks struct {
	db  *sql.DB
	now func() time.Time

	mu sync.Mutex
	// known has the cameras of tokens that were found, by their SHA-256, so that a press does
	// not wait for the disk. There are no more than there are cameras.
	known map[[sha256.Size]byte]string
	turns uint64 // of renewals: what was read before one is not kept after it
}

// steps of the schema; each is applied once, in order. Times are Unix milliseconds.
func steps() []string {
	return []string{
		`CREATE TABLE hooks (camera TEXT PRIMARY KEY, token TEXT NOT NULL, hash BLOB NOT NULL UNIQUE,
			created INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0) STRICT;`,
	}
}

// Open prepares the table.
func Open(ctx context.Context, db DB) (*Hooks, error) {
	if err := db.Migrate(ctx, "hooks", steps()); err != nil {
		return nil, fmt.Errorf("hooks: open: %w", err)
	}
	return &Hooks{db: db.SQL(), now: time.Now, known: map[[sha256.Size]byte]string{}}, nil
}

// Token gives the hook of a camera; the first who asks makes it. That the camera exists
// is for the caller to know.
func (h *Hooks) Token(ctx context.Context, camera string) (Entry, error) {
	e, err := h.read(ctx, camera)
	if !errors.Is(err, sql.ErrNoRows) {
		return e, told("token", camera, err)
	}
	token := newToken()
	// Of two who ask at once the first one's stays.
	_, err = h.db.ExecContext(ctx, `INSERT INTO hooks (camera, token, hash, created) VALUES (?, ?, ?, ?) ON CONFLICT (camera) DO NOTHING`,
		camera, token, digest(token), h.now().UnixMilli())
	if err != nil {
		return Entry{}, told("token", camera, err)
	}
	e, err = h.read(ctx, camera)
	return e, told("token", camera, err)
}

// Renew gives the camera another token; the old one is nobody's from now on.
func (h *Hooks) Renew(ctx context.Context, camera string) (Entry, error) {
	token := newToken()
	_, err := h.db.ExecContext(ctx, `INSERT INTO hooks (camera, token, hash, created) VALUES (?, ?, ?, ?)
		ON CONFLICT (camera) DO UPDATE SET token = excluded.token, hash = excluded.hash, created = excluded.created, seen = 0`,
		camera, token, digest(token), h.now().UnixMilli())
	if err != nil {
		return Entry{}, told("renew", camera, err)
	}
	h.mu.Lock()
	h.turns++
	clear(h.known)
	h.mu.Unlock()
	e, err := h.read(ctx, camera)
	return e, told("renew", camera, err)
}

// Find tells whose token it is; ok is false where it is nobody's. How long that takes
// says nothing of the tokens that there are: what is looked up is their SHA-256.
func (h *Hooks) Find(ctx context.Context, token string) (camera string, ok bool, err error) {
	sum := digest(token)
	h.mu.Lock()
	camera, ok = h.known[[sha256.Size]byte(sum)]
	turns := h.turns
	h.mu.Unlock()
	if ok {
		return camera, true, nil
	}
	var stored []byte
	err = h.db.QueryRowContext(ctx, `SELECT camera, hash FROM hooks WHERE hash = ?`, sum).Scan(&camera, &stored)
	if errors.Is(err, sql.ErrNoRows) || err == nil && subtle.ConstantTimeCompare(stored, sum) != 1 {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("hooks: find: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.turns == turns {
		h.known[[sha256.Size]byte(sum)] = camera
	}
	return camera, true, nil
}

// Used notes that the camera's hook has rung. It writes, so that a press does not wait
// for it; what is lost is only the time of the last use.
func (h *Hooks) Used(ctx context.Context, camera string) error {
	now := h.now()
	_, err := h.db.ExecContext(ctx, `UPDATE hooks SET seen = ? WHERE camera = ? AND seen <= ?`, now.UnixMilli(), camera, now.Add(-seenEvery).UnixMilli())
	return told("use", camera, err)
}

func (h *Hooks) read(ctx context.Context, camera string) (Entry, error) {
	e := Entry{Camera: camera}
	var created, seen int64
	if err := h.db.QueryRowContext(ctx, `SELECT token, created, seen FROM hooks WHERE camera = ?`, camera).Scan(&e.Token, &created, &seen); err != nil {
		return Entry{}, err
	}
	e.Created = time.UnixMilli(created)
	if seen != 0 {
		e.LastUsed = time.UnixMilli(seen)
	}
	return e, nil
}

func told(act, camera string, err error) error {
	if err != nil {
		return fmt.Errorf("hooks: %s of %s: %w", act, camera, err)
	}
	return nil
}

func newToken() string {
	b := make([]byte, tokenBytes)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func digest(token string) []byte {
	if len(token) > tokenChars {
		token = "" // nobody's, and no work to hash
	}
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
