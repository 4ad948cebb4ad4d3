package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Steps are the versions of the journal's schema. What the hub stamps stands
// in columns, the rest in body as event.Marshal made it.
//
// Each index that an insert touches is one more page to write; events_time knows only
// every 64th row, which is enough to find where a span of time begins.
//
// received is in ns since 1970, mono in ns since the start of the run that wrote the
// row (for ages within that run), flags are flag bits.
func Steps() []string {
	return []string{`
CREATE TABLE events (
	seq INTEGER PRIMARY KEY, id BLOB NOT NULL, class INTEGER NOT NULL, type TEXT NOT NULL,
	subject TEXT NOT NULL, camera TEXT NOT NULL, correlation TEXT NOT NULL,
	received INTEGER NOT NULL, mono INTEGER NOT NULL, flags INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_critical ON events (seq) WHERE class = 1;
CREATE INDEX events_correlation ON events (correlation) WHERE correlation != '';
CREATE INDEX events_time ON events (received) WHERE seq % 64 = 0;
CREATE TABLE state (
	subject TEXT PRIMARY KEY, seq INTEGER NOT NULL, id BLOB NOT NULL,
	received INTEGER NOT NULL, mono INTEGER NOT NULL, flags INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE cursors (
	taker TEXT NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL, moved INTEGER NOT NULL,
	PRIMARY KEY (taker, lane)) WITHOUT ROWID;
CREATE TABLE handled (
	taker TEXT NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (taker, id)) WITHOUT ROWID;`}
}

// flagTimeReplaced: the device's time was not believed.
const flagTimeReplaced = 1

// handledFor is how long it is remembered that a taker handled an id which its
// cursor does not yet cover.
const handledFor = 10 * time.Minute

// Journal is the file: one connection writes, a few read.
type Journal struct {
	path string
	db   *store.DB
	pool *sql.DB  // readers
	shm  *os.File // SQLite's -shm, to read how long the -wal is; nil: not to be had

	// Unreadable is told of each row that is passed over, once and more; nil: nobody is.
	Unreadable func(err error)
}

// passOver a row that cannot be read: a bad one must not hide all that stand beside it.
func (j *Journal) passOver(err error) {
	if j.Unreadable != nil {
		j.Unreadable(err)
	}
}

// Row is one event as the journal keeps it.
type Row struct {
	Event event.Event
	ID    uuid.UUID
	Class event.Class
	Body  []byte // encoded, without what the hub stamps; nil when read back
	// Mono is when it was received, in the run's monotonic time since the bus was opened.
	Mono    time.Duration
	Earlier bool // received in an earlier run: Mono says nothing
}

// readers bounds the connections that read: takers that catch up, and pages.
const readers = 4

// Open opens the file, or makes it; a newer one is refused and not touched.
func Open(ctx context.Context, path string) (*Journal, error) {
	db, err := store.Open(ctx, path, store.Room{Name: "bus", Steps: Steps()})
	if err != nil {
		return nil, err
	}
	pool, err := store.OpenSQLite(ctx, path, "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	shm, err := os.Open(path + "-shm") // there, since pool has connected
	if err != nil {
		shm = nil
	}
	return &Journal{path: path, db: db, pool: pool, shm: shm}, nil
}

// Close closes the file.
func (j *Journal) Close() error {
	if j.shm != nil {
		_ = j.shm.Close() // only read from
	}
	return errors.Join(j.pool.Close(), j.db.Close())
}

// Last gives the highest seq that was ever written, and the id of the last event.
func (j *Journal) Last(ctx context.Context) (seq uint64, id uuid.UUID, err error) {
	err = j.pool.QueryRowContext(ctx, `SELECT max(
		coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM state), 0), coalesce((SELECT max(seq) FROM cursors), 0))`).Scan(&seq)
	if err != nil {
		return 0, id, err
	}
	var raw []byte
	err = j.pool.QueryRowContext(ctx, `SELECT id FROM events ORDER BY seq DESC LIMIT 1`).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return seq, id, nil
	}
	copy(id[:], raw)
	return seq, id, err
}

const eventColumns = `seq, id, received, mono, flags, body`

// decode makes a Row of a row's columns. first: numbers above it are of this run.
func decode(seq uint64, id []byte, received, mono, flags int64, body []byte, first uint64) (*Row, error) {
	ev, err := event.Unmarshal(body)
	if err != nil {
		return nil, fmt.Errorf("row %d: %w", seq, err)
	}
	ev.Seq, ev.Received = seq, time.Unix(0, received)
	if flags&flagTimeReplaced != 0 {
		ev.Time, ev.TimeReplaced = ev.Received, true
	}
	n := &Row{Event: ev, Class: ev.Class(), Mono: time.Duration(mono), Earlier: seq <= first}
	copy(n.ID[:], id)
	return n, nil
}

func (j *Journal) query(ctx context.Context, first uint64, q string, args ...any) ([]*Row, error) {
	rows, err := j.pool.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*Row
	for rows.Next() {
		var seq uint64
		var id, body sql.RawBytes
		var received, mono, flags int64
		if err := rows.Scan(&seq, &id, &received, &mono, &flags, &body); err != nil {
			return nil, err
		}
		n, err := decode(seq, id, received, mono, flags, body, first)
		if err != nil {
			j.passOver(err)
			continue
		}
		found = append(found, n)
	}
	return found, rows.Err()
}

// States gives the latest value of every subject.
func (j *Journal) States(ctx context.Context) ([]*Row, error) {
	return j.query(ctx, 1<<62, `SELECT `+eventColumns+` FROM state`)
}

// Rings gives the newest rings, newest first.
func (j *Journal) Rings(ctx context.Context, limit int) ([]*Row, error) {
	return j.query(ctx, 1<<62, `SELECT `+eventColumns+` FROM events WHERE class = 1 ORDER BY seq DESC LIMIT ?`, limit)
}

// SeqOf gives the number of the event with this id.
func (j *Journal) SeqOf(ctx context.Context, id uuid.UUID) (seq uint64, err error) {
	err = j.pool.QueryRowContext(ctx, `SELECT seq FROM events WHERE id = ?`, id[:]).Scan(&seq)
	return seq, err
}

// ReplayRows is how many rows a taker that catches up reads at once.
const ReplayRows = 256

// Replay gives the events of a class above seq and up to upto whose subject the
// filters take, and the seq up to which it looked. State is not among them.
func (j *Journal) Replay(ctx context.Context, class event.Class, seq, upto, first uint64, filters []string) (found []*Row, looked uint64, err error) {
	rows, err := j.pool.QueryContext(ctx, `SELECT subject, `+eventColumns+` FROM events
		WHERE class = `+fmt.Sprint(int(class))+` AND seq > ? AND seq <= ? ORDER BY seq`, seq, upto)
	if err != nil {
		return nil, seq, err
	}
	defer rows.Close()
	looked = seq
	for rows.Next() {
		var subject sql.RawBytes
		var at uint64
		var id, body sql.RawBytes
		var received, mono, flags int64
		if err := rows.Scan(&subject, &at, &id, &received, &mono, &flags, &body); err != nil {
			return nil, seq, err
		}
		looked = at
		if !event.MatchAny(filters, string(subject)) {
			continue
		}
		n, err := decode(at, id, received, mono, flags, body, first)
		if err != nil {
			j.passOver(err)
			continue
		}
		if found = append(found, n); len(found) == ReplayRows {
			return found, looked, rows.Err()
		}
	}
	return found, upto, rows.Err()
}

// Taker gives the cursors of a taker (absent: never subscribed) and the ids that
// it handled beyond them.
func (j *Journal) Taker(ctx context.Context, taker string, now time.Time) (cursors map[int]uint64, handled []uuid.UUID, err error) {
	rows, err := j.pool.QueryContext(ctx, `SELECT lane, seq, NULL FROM cursors WHERE taker = ?1
		UNION ALL SELECT -1, 0, id FROM handled WHERE taker = ?1 AND at > ?2`, taker, now.Add(-handledFor).UnixNano())
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	cursors = map[int]uint64{}
	for rows.Next() {
		var lane int
		var seq uint64
		var raw []byte
		if err := rows.Scan(&lane, &seq, &raw); err != nil {
			return nil, nil, err
		}
		if lane >= 0 {
			cursors[lane] = seq
		} else if id, err := uuid.FromBytes(raw); err == nil {
			handled = append(handled, id)
		}
	}
	return cursors, handled, rows.Err()
}

// Query asks for events; a zero field asks nothing.
type Query struct {
	Since, Until time.Time // by receipt; Until is not included
	Camera       string
	Types        []event.Type
	Correlation  string
	Before       uint64 // only numbers below it: for the next page
	Limit        int    // 0: 100; at most 1,000
}

// Takes tells whether an event is among those asked for.
func (q *Query) Takes(e *event.Event) bool {
	return (q.Before == 0 || e.Seq < q.Before) &&
		(q.Since.IsZero() || !e.Received.Before(q.Since)) && (q.Until.IsZero() || e.Received.Before(q.Until)) &&
		(q.Camera == "" || e.Camera == q.Camera) && (q.Correlation == "" || e.Correlation == q.Correlation) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, e.Type))
}

// Search gives the events that q asks for, newest first, without state.
func (j *Journal) Search(ctx context.Context, q Query, first uint64) ([]*Row, error) {
	var where []string
	var args []any
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	if q.Before > 0 {
		add(`seq < ?`, q.Before)
	}
	if !q.Since.IsZero() {
		add(`seq >= coalesce((SELECT seq FROM events WHERE seq % 64 = 0 AND received < ? ORDER BY received DESC LIMIT 1), 0)`, q.Since.UnixNano())
		add(`received >= ?`, q.Since.UnixNano())
	}
	if !q.Until.IsZero() {
		add(`received < ?`, q.Until.UnixNano())
	}
	if q.Camera != "" {
		add(`camera = ?`, q.Camera)
	}
	if q.Correlation != "" {
		add(`correlation != '' AND correlation = ?`, q.Correlation)
	}
	if len(q.Types) > 0 {
		rings := true
		for _, t := range q.Types {
			rings = rings && t.Class() == event.ClassCritical
			args = append(args, string(t))
		}
		cond := `type IN (?` + strings.Repeat(`, ?`, len(q.Types)-1) + `)`
		if rings {
			cond += ` AND class = 1` // there is an index of these alone
		}
		where = append(where, cond)
	}
	sqlText := `SELECT ` + eventColumns + ` FROM events`
	if len(where) > 0 {
		sqlText += ` WHERE ` + strings.Join(where, ` AND `)
	}
	return j.query(ctx, first, sqlText+` ORDER BY seq DESC LIMIT ?`, append(args, q.Limit)...)
}

// ByID gives the event or state with this id, nil if there is none.
func (j *Journal) ByID(ctx context.Context, id uuid.UUID, first uint64) (*Row, error) {
	found, err := j.query(ctx, first, `SELECT `+eventColumns+` FROM events WHERE id = ?1
		UNION ALL SELECT `+eventColumns+` FROM state WHERE id = ?1`, id[:])
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}
