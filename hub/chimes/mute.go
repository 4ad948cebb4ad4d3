package chimes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// schema of this room in hub.db. until_ms 0 of a mute, and endless of the quiet: it
// lasts until somebody ends it.
func schema() []string {
	return []string{
		`CREATE TABLE chime_mute (id TEXT PRIMARY KEY) STRICT;
		 CREATE TABLE chime_quiet (one INTEGER PRIMARY KEY CHECK (one = 1), until_ms INTEGER NOT NULL) STRICT;`,
		`ALTER TABLE chime_mute ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;
		 ALTER TABLE chime_mute ADD COLUMN whom TEXT NOT NULL DEFAULT '';
		 ALTER TABLE chime_quiet ADD COLUMN endless INTEGER NOT NULL DEFAULT 0;
		 ALTER TABLE chime_quiet ADD COLUMN whom TEXT NOT NULL DEFAULT '';`,
	}
}

const (
	// MaxQuiet is the longest that a house can be quiet for a time.
	MaxQuiet = 24 * time.Hour
	// lookEvery bounds the sleep until something ends: the clock may be set meanwhile, or
	// the machine may have slept.
	lookEvery = time.Minute
)

func (c *Chimes) load(ctx context.Context) error {
	if err := c.db.Migrate(ctx, "chimes", schema()); err != nil {
		return fmt.Errorf("chimes: %w", err)
	}
	rows, err := c.db.SQL().QueryContext(ctx, `SELECT id, until_ms, whom FROM chime_mute`)
	if err != nil {
		return fmt.Errorf("chimes: read mutes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		q := event.Quiet{Active: true}
		var ms int64
		if err := rows.Scan(&q.Chime, &ms, &q.By); err != nil {
			return fmt.Errorf("chimes: read mutes: %w", err)
		}
		if ms != 0 {
			q.Until = time.UnixMilli(ms)
		}
		c.muted[q.Chime] = q
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("chimes: read mutes: %w", err)
	}
	var ms int64
	var endless bool
	err = c.db.SQL().QueryRowContext(ctx, `SELECT until_ms, endless, whom FROM chime_quiet`).Scan(&ms, &endless, &c.quiet.By)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("chimes: read quiet: %w", err)
	}
	if err == nil && (endless || ms > 0) {
		c.quiet.Active = true
		if !endless {
			c.quiet.Until = time.UnixMilli(ms)
		}
	}
	return nil
}

// lasts tells whether q silences anything at that moment.
func lasts(q event.Quiet, now time.Time) bool {
	return q.Active && (q.Until.IsZero() || now.Before(q.Until))
}

// Quiet of the whole house as it is now. One without an end lasts until somebody ends it.
func (c *Chimes) Quiet() event.Quiet {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !lasts(c.quiet, c.now()) {
		return event.Quiet{}
	}
	return c.quiet
}

// Muted tells whether and how long one chime is silent by itself.
func (c *Chimes) Muted(id string) event.Quiet {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if q := c.muted[id]; lasts(q, c.now()) {
		return q
	}
	return event.Quiet{Chime: id}
}

// SetQuiet silences the house, or the one chime that q names, until then (at most
// MaxQuiet from now; zero: until somebody ends it), or ends that. It lasts over a restart.
func (c *Chimes) SetQuiet(ctx context.Context, q event.Quiet) error {
	now := c.now()
	if latest := now.Add(MaxQuiet); q.Active && q.Until.After(latest) {
		return fmt.Errorf("quiet: at most %s", MaxQuiet)
	}
	if !q.Active || !lasts(q, now) {
		q.Active, q.Until = false, time.Time{}
	}
	c.mu.RLock()
	_, ok := c.chimes[q.Chime]
	c.mu.RUnlock()
	if q.Chime != "" && !ok {
		return fmt.Errorf("chime %q: %w", q.Chime, ErrUnknown)
	}
	c.setting.Lock() // what is kept, what is in force and what is told are one
	defer c.setting.Unlock()
	if err := c.keep(ctx, q); err != nil {
		return err
	}
	c.mu.Lock()
	was := c.quiet
	if q.Chime != "" {
		was = c.muted[q.Chime]
	}
	switch {
	case q.Chime == "":
		c.quiet = q
	case q.Active:
		c.muted[q.Chime] = q
	default:
		delete(c.muted, q.Chime)
	}
	c.mu.Unlock()
	if was.Active != q.Active || !was.Until.Equal(q.Until) {
		c.tellQuiet(ctx, q)
	}
	select {
	case c.kick <- struct{}{}:
	default: // it is going to look anyway
	}
	return nil
}

func (c *Chimes) keep(ctx context.Context, q event.Quiet) error {
	ms := int64(0)
	if !q.Until.IsZero() {
		ms = q.Until.UnixMilli()
	}
	var err error
	switch {
	case q.Chime == "":
		_, err = c.db.SQL().ExecContext(ctx, `INSERT INTO chime_quiet (one, until_ms, endless, whom) VALUES (1, ?, ?, ?)
			ON CONFLICT (one) DO UPDATE SET until_ms = excluded.until_ms, endless = excluded.endless, whom = excluded.whom`,
			ms, q.Active && ms == 0, q.By)
	case q.Active:
		_, err = c.db.SQL().ExecContext(ctx, `INSERT INTO chime_mute (id, until_ms, whom) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms, whom = excluded.whom`, q.Chime, ms, q.By)
	default:
		_, err = c.db.SQL().ExecContext(ctx, `DELETE FROM chime_mute WHERE id = ?`, q.Chime)
	}
	switch {
	case err == nil:
		return nil
	case q.Chime == "":
		return fmt.Errorf("quiet: store: %w", err)
	}
	return fmt.Errorf("chime %q: store mute: %w", q.Chime, err)
}

// tellQuiet publishes how quiet it is now.
func (c *Chimes) tellQuiet(ctx context.Context, q event.Quiet) {
	e := event.Event{ID: event.NewID(), Type: event.TypeQuiet, Subject: "system.quiet", Observed: c.now(), Data: q}
	if q.Chime != "" {
		e.Subject = "chime." + q.Chime + ".quiet"
	}
	if err := c.bus.Publish(context.WithoutCancel(ctx), e, nil); err != nil {
		c.log.Warn("quiet not published", "subject", e.Subject, "err", err)
	}
}

// Serve tells the house when a quiet time or a mute ends by itself, until ctx ends.
func (c *Chimes) Serve(ctx context.Context) error {
	for {
		wait, err := c.end(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("the end of a quiet time is not kept", "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-c.kick:
			timer.Stop()
		}
	}
}

// end ends what is over, also what ended while the hub did not run, and tells how long
// to wait until it looks again.
func (c *Chimes) end(ctx context.Context) (wait time.Duration, err error) {
	wait = lookEvery
	now := c.now()
	var over []event.Quiet
	c.mu.RLock()
	look := func(q event.Quiet) {
		switch {
		case !q.Active || q.Until.IsZero():
		case lasts(q, now):
			wait = min(wait, q.Until.Sub(now))
		default:
			over = append(over, event.Quiet{Chime: q.Chime})
		}
	}
	look(c.quiet)
	for _, q := range c.muted {
		look(q)
	}
	c.mu.RUnlock()
	for _, q := range over {
		if e := c.finish(ctx, q); e != nil {
			err = errors.Join(err, e)
		}
	}
	return wait, err
}

// finish ends one that is over, unless somebody has begun it anew meanwhile.
func (c *Chimes) finish(ctx context.Context, q event.Quiet) error {
	c.setting.Lock()
	defer c.setting.Unlock()
	c.mu.Lock()
	is := c.quiet
	if q.Chime != "" {
		is = c.muted[q.Chime]
	}
	if !is.Active || lasts(is, c.now()) {
		c.mu.Unlock()
		return nil
	}
	if q.Chime == "" {
		c.quiet = q
	} else {
		delete(c.muted, q.Chime)
	}
	c.mu.Unlock()
	c.tellQuiet(ctx, q)
	return c.keep(ctx, q)
}
