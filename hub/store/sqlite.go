package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// magic begins every SQLite 3 file (fileformat2, section 1.3.1).
const magic = "SQLite format 3\x00"

// OpenSQLite opens or creates a SQLite file with the house's ways: WAL, waiting up
// to 5 s for a lock, write transactions that take their lock at once, file mode
// 0600. Pragmas are added in SQLite's call form, e.g. "synchronous(FULL)". A file
// that is no database gives an error with code E-STORE-DAMAGED and is not changed.
func OpenSQLite(ctx context.Context, path string, pragmas ...string) (*sql.DB, error) {
	if _, err := inspect(path); err != nil {
		return nil, err
	}
	db, err := lazily(path, pragmas...)
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(translate(path, err), db.Close())
	}
	return db, nil
}

// lazily prepares the pool; the file is first opened by SQLite with the first query.
func lazily(path string, pragmas ...string) (*sql.DB, error) {
	// SQLite gives a new file the umask's mode; ours holds logins. Its -wal and -shm follow the file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, unusable(path, err)
	}
	q := url.Values{"_txlock": {"immediate"}}
	// busy_timeout first: setting WAL may itself have to wait for a lock.
	q["_pragma"] = append([]string{"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)"}, pragmas...)
	db, err := sql.Open("sqlite", dsn(path, q))
	if err != nil {
		return nil, fmt.Errorf("%s: open: %w", filepath.Base(path), err)
	}
	return db, nil
}

func dsn(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// inspect reads the first bytes without SQLite. It tells whether there is a
// database already, and refuses what is none.
func inspect(path string) (exists bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, unusable(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, unusable(path, cmp.Or(err, errors.New("it is not a file")))
	}
	var head [100]byte // the header's length
	n, err := io.ReadFull(f, head[:])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return false, nil // made and not yet written, as after a kill in the very first moment
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, unusable(path, err)
	case n < len(head) || string(head[:len(magic)]) != magic:
		return false, damaged(path, errors.New("it does not begin as a SQLite file does"))
	}
	return true, nil
}

// versions reads the rooms' versions and changes nothing: without a -wal the file is
// opened as immutable (no lock, no side files), with one read-only, which may leave
// a -shm beside it but writes neither the file nor its -wal.
func versions(ctx context.Context, path string) (map[string]int, error) {
	found := map[string]int{}
	exists, err := inspect(path)
	if err != nil || !exists {
		return found, err
	}
	q := url.Values{"mode": {"ro"}}
	if st, err := os.Stat(path + "-wal"); err != nil || st.Size() == 0 {
		q.Set("immutable", "1")
	}
	db, err := sql.Open("sqlite", dsn(path, q))
	if err != nil {
		return nil, fmt.Errorf("%s: open: %w", filepath.Base(path), err)
	}
	defer db.Close()
	var n int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_versions'`).Scan(&n)
	if err != nil || n == 0 {
		return found, translate(path, err)
	}
	rows, err := db.QueryContext(ctx, `SELECT room, version FROM schema_versions`)
	if err != nil {
		return nil, translate(path, err)
	}
	defer rows.Close()
	for rows.Next() {
		var room string
		var v int
		if err := rows.Scan(&room, &v); err != nil {
			return nil, translate(path, err)
		}
		found[room] = v
	}
	return found, translate(path, rows.Err())
}
