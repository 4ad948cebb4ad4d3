package chimes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// schema of this room in hub.db.
func schema() []string {
	return []string{
		`CREATE TABLE chime_mute (id TEXT PRIMARY KEY) STRICT;
		 CREATE TABLE chime_quiet (one INTEGER PRIMARY KEY CHECK (one = 1), until_ms INTEGER NOT NULL) STRICT;`,
	}
}

// MaxQuiet is the longest that a house can be quiet by a button.
const MaxQuiet = 24 * time.Hour

func (c *Chimes) load(ctx context.Context) error {
	if err := c.db.Migrate(ctx, "chimes", schema()); err != nil {
		return fmt.Errorf("chimes: %w", err)
	}
	rows, err := c.db.SQL().QueryContext(ctx, `SELECT id FROM chime_mute`)
	if err != nil {
		return fmt.Errorf("chimes: read mutes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("chimes: read mutes: %w", err)
		}
		c.muted[id] = true
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("chimes: read mutes: %w", err)
	}
	var ms int64
	err = c.db.SQL().QueryRowContext(ctx, `SELECT until_ms FROM chime_quiet`).Scan(&ms)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("chimes: read quiet: %w", err)
	}
	if err == nil {
		c.quiet = time.UnixMilli(ms)
	}
	return nil
}

// Quiet tells until when no chime sounds, and whether that is now.
func (c *Chimes) Quiet() (until time.Time, on bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.quiet, c.now().Before(c.quiet)
}

// SetQuiet silences all chimes until then, at most MaxQuiet from now; a time past ends it.
func (c *Chimes) SetQuiet(ctx context.Context, until time.Time) error {
	if latest := c.now().Add(MaxQuiet); until.After(latest) {
		return fmt.Errorf("quiet: at most %s", MaxQuiet)
	}
	_, err := c.db.SQL().ExecContext(ctx, `INSERT INTO chime_quiet (one, until_ms) VALUES (1, ?)
		ON CONFLICT (one) DO UPDATE SET until_ms = excluded.until_ms`, until.UnixMilli())
	if err != nil {
		return fmt.Errorf("quiet: store: %w", err)
	}
	c.mu.Lock()
	c.quiet = until
	c.mu.Unlock()
	return nil
}

// Mute silences one chime, or ends that; it lasts over a restart.
func (c *Chimes) Mute(ctx context.Context, id string, on bool) error {
	c.mu.RLock()
	_, ok := c.chimes[id]
	c.mu.RUnlock()
	if !ok {
		return fmt.Errorf("chime %q: %w", id, ErrUnknown)
	}
	query := `DELETE FROM chime_mute WHERE id = ?`
	if on {
		query = `INSERT INTO chime_mute (id) VALUES (?) ON CONFLICT DO NOTHING`
	}
	if _, err := c.db.SQL().ExecContext(ctx, query, id); err != nil {
		return fmt.Errorf("chime %q: store mute: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.muted[id] = true
	} else {
		delete(c.muted, id)
	}
	return nil
}

func (c *Chimes) isMuted(id string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.muted[id]
}
