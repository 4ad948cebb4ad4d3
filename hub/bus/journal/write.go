package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Writer is the one connection that writes. It is used by one goroutine.
type Writer struct {
	j     *Journal
	conn  *sql.Conn
	stmts statements
	full  bool // synchronous=FULL is set on conn
}

type statements struct {
	begin, commit, rollback, event, state, cursor, handled *sql.Stmt
}

// Writer gives the writing connection, which opens itself when it is used.
func (j *Journal) Writer() *Writer { return &Writer{j: j} }

// Write commits what fill puts into the group, all of it or nothing. Synced, it
// survives a power cut too; otherwise it survives a kill at any moment. After an
// error the next Write begins with a fresh connection.
func (w *Writer) Write(ctx context.Context, synced bool, fill func(*Group) error) (err error) {
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if err := w.connect(ctx); err != nil {
		return err
	}
	if err := w.synchronous(ctx, synced); err != nil {
		return err
	}
	if _, err := w.stmts.begin.ExecContext(ctx); err != nil {
		return err
	}
	if err = fill(&Group{w: w}); err == nil {
		_, err = w.stmts.commit.ExecContext(ctx)
	}
	if err != nil {
		// On some errors SQLite has rolled back by itself; then this one has nothing to do.
		_, _ = w.stmts.rollback.ExecContext(context.Background())
	}
	return err
}

// Group is one transaction.
type Group struct{ w *Writer }

// Event adds an event; repeat: the journal knows its id, and it was not added.
func (g *Group) Event(ctx context.Context, r *Row) (repeat bool, err error) {
	e := &r.Event
	res, err := g.w.stmts.event.ExecContext(ctx, e.Seq, r.ID[:], int(r.Class), string(e.Type), e.Subject, e.Camera, e.Correlation,
		e.Received.UnixNano(), int64(r.Mono), flags(e), r.Body)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// State makes the row the latest of its subject.
func (g *Group) State(ctx context.Context, r *Row) error {
	e := &r.Event
	_, err := g.w.stmts.state.ExecContext(ctx, e.Subject, e.Seq, r.ID[:], e.Received.UnixNano(), int64(r.Mono), flags(e), r.Body)
	return err
}

func flags(e *event.Event) int {
	if e.TimeReplaced {
		return flagTimeReplaced
	}
	return 0
}

// Cursor notes how far a taker has come in a lane.
func (g *Group) Cursor(ctx context.Context, taker string, lane int, seq uint64, now time.Time) error {
	_, err := g.w.stmts.cursor.ExecContext(ctx, taker, lane, seq, now.UnixNano())
	return err
}

// Handled notes that a taker handled an id above its cursor.
func (g *Group) Handled(ctx context.Context, taker string, id uuid.UUID, now time.Time) error {
	_, err := g.w.stmts.handled.ExecContext(ctx, taker, id[:], now.UnixNano())
	return err
}

// synchronous sets how a commit syncs: FULL for rings (they survive a power cut
// too), NORMAL for the rest (they survive a kill at any moment).
func (w *Writer) synchronous(ctx context.Context, full bool) error {
	if w.full == full {
		return nil
	}
	mode := "NORMAL"
	if full {
		mode = "FULL"
	}
	if _, err := w.conn.ExecContext(ctx, "PRAGMA synchronous="+mode); err != nil {
		return err
	}
	w.full = full
	return nil
}

func (w *Writer) connect(ctx context.Context) (err error) {
	if w.conn != nil {
		return nil
	}
	conn, err := w.j.db.SQL().Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.full = conn, false
	// Checkpoints are made beside us or between groups: on a slow disk they take
	// long, and a ring would wait. A -wal that was long is cut when it begins anew.
	for _, p := range []string{"wal_autocheckpoint=0", fmt.Sprintf("journal_size_limit=%d", WALMost)} {
		if _, err := conn.ExecContext(ctx, "PRAGMA "+p); err != nil {
			w.Close()
			return err
		}
	}
	for _, s := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&w.stmts.begin, `BEGIN IMMEDIATE`},
		{&w.stmts.commit, `COMMIT`},
		{&w.stmts.rollback, `ROLLBACK`},
		{&w.stmts.event, `INSERT INTO events (seq, id, class, type, subject, camera, correlation, received, mono, flags, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`},
		{&w.stmts.state, `INSERT INTO state (subject, seq, id, received, mono, flags, body) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (subject) DO UPDATE SET seq = excluded.seq, id = excluded.id, received = excluded.received,
			mono = excluded.mono, flags = excluded.flags, body = excluded.body`},
		{&w.stmts.cursor, `INSERT INTO cursors (taker, lane, seq, moved) VALUES (?, ?, ?, ?)
			ON CONFLICT (taker, lane) DO UPDATE SET seq = excluded.seq, moved = excluded.moved`},
		{&w.stmts.handled, `INSERT OR REPLACE INTO handled (taker, id, at) VALUES (?, ?, ?)`},
	} {
		if *s.to, err = conn.PrepareContext(ctx, s.sql); err != nil {
			w.Close()
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return nil
}

// Close lets the connection go.
func (w *Writer) Close() {
	if w.conn == nil {
		return
	}
	for _, s := range []*sql.Stmt{w.stmts.begin, w.stmts.commit, w.stmts.rollback, w.stmts.event, w.stmts.state, w.stmts.cursor, w.stmts.handled} {
		if s != nil {
			_ = s.Close()
		}
	}
	_ = w.conn.Close()
	w.conn, w.stmts = nil, statements{}
}
