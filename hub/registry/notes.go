package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/porchlight-hub/porchlight/hub/store"
)

// maxNote bounds one note; what is learned of a camera is a few hundred bytes.
const maxNote = 16 << 10

// Notes keep what was learned of devices over the hub's restarts, a small JSON value a
// device and part. Safe for concurrent use.
type Notes struct {
	db *store.DB

	mu   sync.Mutex
	have map[[2]string]string
}

// OpenNotes reads all notes.
func OpenNotes(ctx context.Context, db *store.DB) (*Notes, error) {
	err := db.Migrate(ctx, "registry", []string{
		`CREATE TABLE device_notes (device TEXT NOT NULL, part TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (device, part)) STRICT, WITHOUT ROWID;`,
	})
	if err != nil {
		return nil, fmt.Errorf("notes: open: %w", err)
	}
	n := &Notes{db: db, have: map[[2]string]string{}}
	rows, err := db.SQL().QueryContext(ctx, `SELECT device, part, value FROM device_notes`)
	if err != nil {
		return nil, fmt.Errorf("notes: read: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key [2]string
		var value string
		if err := rows.Scan(&key[0], &key[1], &value); err != nil {
			return nil, fmt.Errorf("notes: read: %w", err)
		}
		n.have[key] = value
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("notes: read: %w", err)
	}
	return n, nil
}

// Get puts a note into v; false: there is none, or none that v can take.
func (n *Notes) Get(device, part string, v any) bool {
	n.mu.Lock()
	text, ok := n.have[[2]string{device, part}]
	n.mu.Unlock()
	return ok && json.Unmarshal([]byte(text), v) == nil
}

// Put keeps v. One that says what is kept already is not written.
func (n *Notes) Put(ctx context.Context, device, part string, v any) error {
	b, err := json.Marshal(v)
	if err == nil && len(b) > maxNote {
		err = errors.New("it is larger than 16 KiB")
	}
	if err != nil {
		return fmt.Errorf("note %s of %s: %w", part, device, err)
	}
	key := [2]string{device, part}
	n.mu.Lock()
	same := n.have[key] == string(b)
	n.have[key] = string(b)
	n.mu.Unlock()
	if same {
		return nil
	}
	return n.write(ctx, `INSERT INTO device_notes (device, part, value) VALUES (?, ?, ?)
		ON CONFLICT (device, part) DO UPDATE SET value = excluded.value`, device, part, string(b))
}

// Forget drops all notes of devices that are not among these.
func (n *Notes) Forget(ctx context.Context, keep func(device string) bool) error {
	gone := map[string]bool{}
	n.mu.Lock()
	for key := range n.have {
		if !keep(key[0]) {
			gone[key[0]] = true
			delete(n.have, key)
		}
	}
	n.mu.Unlock()
	for device := range gone {
		if err := n.write(ctx, `DELETE FROM device_notes WHERE device = ?`, device); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notes) write(ctx context.Context, query string, args ...any) error {
	if _, err := n.db.SQL().ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("notes: write: %w", err)
	}
	return nil
}
