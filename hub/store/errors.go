package store

import (
	"errors"
	"fmt"
	"path/filepath"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Codes of this room's errors.
const (
	CodeNewer   = "E-STORE-NEWER"
	CodeDamaged = "E-STORE-DAMAGED"
	CodeOpen    = "E-STORE-OPEN"
)

// Error tells why a file cannot be used, and how to mend it.
type Error struct {
	code, hint, text string
	cause            error
}

func (e *Error) Error() string {
	if e.cause == nil {
		return e.text
	}
	return e.text + ": " + e.cause.Error()
}

func (e *Error) Unwrap() error { return e.cause }

// Code is the error's code, for `porchlight explain`.
func (e *Error) Code() string { return e.code }

// Hint tells the owner how to mend it.
func (e *Error) Hint() string { return e.hint }

func newer(path, room string, found, known int) error {
	base := filepath.Base(path)
	return &Error{
		code: CodeNewer,
		text: fmt.Sprintf("%s: open: its part %q has version %d and this program knows up to %d: a newer Porchlight wrote it", base, room, found, known),
		hint: fmt.Sprintf("start the newer Porchlight again, or put back the copy of %s from before the update; the file was left as it is", base),
	}
}

func damaged(path string, cause error) error {
	base := filepath.Base(path)
	return &Error{
		code: CodeDamaged, cause: cause,
		text: base + ": open: the file is damaged",
		hint: fmt.Sprintf("put back a copy of %s, or move it (with its -wal and -shm) out of the data folder to begin a new one", path),
	}
}

func unusable(path string, cause error) error {
	return &Error{
		code: CodeOpen, cause: cause,
		text: filepath.Base(path) + ": open",
		hint: fmt.Sprintf("look whether the user that runs Porchlight may write %s and its folder", path),
	}
}

// translate gives the errors of SQLite that mean a damaged file their name.
func translate(path string, err error) error {
	if err == nil {
		return nil
	}
	var ours *Error
	if errors.As(err, &ours) {
		return err
	}
	switch primary(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH:
		return unusable(path, err)
	}
	return fmt.Errorf("%s: %w", filepath.Base(path), err)
}

// primary is SQLite's primary result code (its lowest byte); 0 where err is not SQLite's.
func primary(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code() & 0xff
	}
	return 0
}

// IsFull tells whether the error means that the disk has no room left.
func IsFull(err error) bool { return primary(err) == sqlite3.SQLITE_FULL }
