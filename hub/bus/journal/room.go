package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// WALTidy is the size of the -wal from which it is to be copied into the file,
	// beside the writer and then the rest by the writer; from WALMost the writer
	// copies it before it goes on. On a small disk the -wal is what would fill it.
	WALTidy = 4 << 20
	WALMost = 16 << 20
	// expireRows are deleted in one transaction, so that a ring waits for a few ms at most.
	expireRows = 500
)

// Expire deletes events received before then (but for the last 63), oldest first, in small steps.
func (j *Journal) Expire(ctx context.Context, now, then time.Time) error {
	db := j.db.SQL()
	for {
		res, err := db.ExecContext(ctx, `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE received < ?1
			AND seq <= (SELECT seq FROM events WHERE seq % 64 = 0 AND received < ?1 ORDER BY received DESC LIMIT 1)
			ORDER BY seq LIMIT ?2)`, then.UnixNano(), expireRows)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n < expireRows {
			break
		}
	}
	_, err := db.ExecContext(ctx, `DELETE FROM handled WHERE at < ?`, now.Add(-handledFor).UnixNano())
	return err
}

// frameSize is a page of SQLite's default size with its header in the -wal.
const frameSize = 4096 + 24

// WALSize is how much of the -wal is in use, in bytes. The file may be longer: it is
// written over from its beginning once all was copied, which syncs faster than to
// let it grow anew.
func (j *Journal) WALSize() int64 {
	if j.shm != nil {
		var frames [4]byte // mxFrame, in the machine's own order (walformat, section 2.2)
		if _, err := j.shm.ReadAt(frames[:], 16); err == nil {
			return int64(binary.NativeEndian.Uint32(frames[:])) * frameSize
		}
	}
	st, err := os.Stat(j.path + "-wal")
	if err != nil {
		return 0
	}
	return st.Size()
}

// Mode of a checkpoint.
type Mode string

// Passive waits for nobody, and nobody for it; when it came to the end the next write
// begins the -wal anew. Truncate waits for readers, and gives the -wal's room back.
const (
	Passive  Mode = "PASSIVE"
	Truncate Mode = "TRUNCATE"
)

// Checkpoint copies the -wal into the file.
func (j *Journal) Checkpoint(ctx context.Context, m Mode) error {
	var busy, inLog, copied int
	return j.db.SQL().QueryRowContext(ctx, "PRAGMA wal_checkpoint("+string(m)+")").Scan(&busy, &inLog, &copied)
}

// Ballast is a file that is given up first when the disk is full: SQLite needs room
// even to delete.
type Ballast struct {
	path string
	size int64
}

// Ballast of size bytes beside the journal; not above 0: there is none.
func (j *Journal) Ballast(size int64) *Ballast { return &Ballast{j.path + ".ballast", size} }

// Path of the file.
func (b *Ballast) Path() string { return b.path }

// Drop frees it; false: there was none.
func (b *Ballast) Drop() bool { return b.size > 0 && os.Remove(b.path) == nil }

// Keep makes it where it is not there, once there is twice the room; it tells
// whether it is there now.
func (b *Ballast) Keep() bool {
	if b.size <= 0 {
		return true
	}
	st, err := os.Stat(b.path)
	if err == nil && st.Size() == b.size {
		return true
	}
	if free, known := freeBytes(b.path); known && free < 2*b.size {
		return false
	}
	return b.write() == nil // no room after all: the next round tries again
}

// write fills it with random bytes: some file systems store zeros as nothing.
func (b *Ballast) write() (err error) {
	f, err := os.OpenFile(b.path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, b.size)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(b.path+".new", b.path)
	}
	if err != nil {
		if rm := os.Remove(b.path + ".new"); !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}
