package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// maxConns bounds the pool of one file: SQLite has one writer, and readers are short.
const maxConns = 4

// Room is one room's part of a file: its name, and the SQL of each version step in
// order. Steps are only ever added.
type Room struct {
	Name  string
	Steps []string
}

// DB is one open file.
type DB struct {
	path string
	sql  *sql.DB

	mu       sync.Mutex
	versions map[string]int // as found in the file, kept current by Migrate
}

// Open opens hub.db, or makes it. Rooms that are named are compared with the file
// first, all of them, then brought up to date; others may follow by Migrate. A file
// in which a room is newer than its steps gives an error with code E-STORE-NEWER
// and stays as it is, byte for byte.
func Open(ctx context.Context, path string, rooms ...Room) (*DB, error) {
	found, err := versions(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, r := range rooms {
		if found[r.Name] > len(r.Steps) {
			return nil, newer(path, r.Name, found[r.Name], len(r.Steps))
		}
	}
	pool, err := lazily(path, "synchronous(NORMAL)")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	d := &DB{path: path, sql: pool, versions: found}
	for _, r := range rooms {
		if err := d.Migrate(ctx, r.Name, r.Steps); err != nil {
			pool.Close()
			return nil, err
		}
	}
	return d, nil
}

// Migrate brings a room's part to its newest version, in one transaction: all of
// the missing steps or none. Called with a room that is already current it touches
// nothing.
func (d *DB) Migrate(ctx context.Context, room string, steps []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	have := d.versions[room]
	if have > len(steps) {
		return newer(d.path, room, have, len(steps))
	}
	if have == len(steps) {
		return nil
	}
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return translate(d.path, err)
	}
	defer tx.Rollback() // no effect after Commit
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (
		room TEXT PRIMARY KEY, version INTEGER NOT NULL, changed TEXT NOT NULL) WITHOUT ROWID`); err != nil {
		return translate(d.path, err)
	}
	for i := have; i < len(steps); i++ {
		if _, err := tx.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("%s: %s: step %d: %w", filepath.Base(d.path), room, i+1, translate(d.path, err))
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_versions (room, version, changed) VALUES (?, ?, ?)
		ON CONFLICT (room) DO UPDATE SET version = excluded.version, changed = excluded.changed`,
		room, len(steps), time.Now().UTC().Format(time.RFC3339)); err != nil {
		return translate(d.path, err)
	}
	if err := tx.Commit(); err != nil {
		return translate(d.path, err)
	}
	d.versions[room] = len(steps)
	return nil
}

// SQL is the pool, for a room's own queries. Write transactions take the lock when
// they begin.
func (d *DB) SQL() *sql.DB { return d.sql }

// Path of the file.
func (d *DB) Path() string { return d.path }

// Close closes the file.
func (d *DB) Close() error { return d.sql.Close() }
