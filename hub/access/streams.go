package access

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// StreamRealm is what the passwords of streams are hashed with. Another one would make
// all that there are worthless.
const StreamRealm = "Porchlight"

const (
	// streamsKept bounds the stream passwords of one user: each login tries them all.
	streamsKept = 32
	// streamTries are free for one other machine. A password cannot be guessed in any
	// number of tries; who tries wrong ones for ever is to cost little.
	streamTries = 20
	// streamLetters are those of base32 that nobody takes for others (Crockford's), 5 bits
	// each; streamGroups of 5 make 100 bits.
	streamLetters = "0123456789abcdefghjkmnpqrstvwxyz"
	streamGroups  = 4
)

// StreamSpec is what a new stream password is to be.
type StreamSpec struct {
	Name    string   // of the program or place that has it: VLC in the hall
	Talk    bool     // it may also speak to the door
	Cameras []string // none: the whole house
}

// StreamPassword is one that exists, without its words.
type StreamPassword struct {
	ID   string
	User string // the name that goes with it
	StreamSpec
	Created  time.Time
	LastUsed time.Time // zero: never; to ten minutes
}

// StreamKey is what a login by Digest is checked with: hex of the hash of
// user:StreamRealm:password (RFC 7616 3.4.2). Who has it can read streams, so it is
// shown nowhere.
type StreamKey struct {
	StreamPassword
	MD5, SHA256 string
}

// StreamError says what is wrong with the spec of a stream password.
type StreamError struct{ Field, Message string }

func (e *StreamError) Error() string { return "stream password: " + e.Field + ": " + e.Message }

// Code names the error.
func (e *StreamError) Code() string { return "E-STREAM-INVALID" }

// Hint shows what is possible.
func (e *StreamError) Hint() string {
	return "As porchlight streams new \"VLC in the hall\" --camera front_door."
}

func (s *StreamSpec) check() error {
	n := utf8.RuneCountInString(s.Name)
	switch {
	case n == 0 || n > tokenName || !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return &StreamError{"name", fmt.Sprintf("want 1 to %d characters, so that you know it again", tokenName)}
	case len(s.Cameras) > tokenCameras:
		return &StreamError{"cameras", fmt.Sprintf("at most %d, or none for the whole house", tokenCameras)}
	}
	for _, c := range s.Cameras {
		if c == "" || len(c) > 64 || strings.ContainsFunc(c, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			return &StreamError{"cameras", fmt.Sprintf("%.64q is no id of a camera", c)}
		}
	}
	return nil
}

// NewStreamPassword makes one for who asks. The words are told this once and never again.
func (a *Access) NewStreamPassword(ctx context.Context, by Identity, spec StreamSpec) (p StreamPassword, password string, err error) {
	if !by.Person() {
		return StreamPassword{}, "", ErrPerson
	}
	spec.Cameras = unique(spec.Cameras)
	if err := spec.check(); err != nil {
		return StreamPassword{}, "", err
	}
	raw := make([]byte, 6) // names one of few; it is no secret
	rand.Read(raw)         // never fails
	p = StreamPassword{ID: hex.EncodeToString(raw), User: by.User, StreamSpec: spec, Created: time.UnixMilli(a.now().UnixMilli())}
	password = streamWords()
	sum5, sum256 := streamHashes(p.User, password)
	err = a.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM access_streams WHERE user = ?`, p.User).Scan(&n); err != nil {
			return err
		}
		if n >= streamsKept {
			return ErrStreams
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO access_streams (id, user, name, md5, sha256, talk, cameras, created, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			p.ID, p.User, spec.Name, sum5, sum256, spec.Talk, list(spec.Cameras), p.Created.UnixMilli())
		return err
	})
	if err != nil {
		return StreamPassword{}, "", fmt.Errorf("access: new stream password: %w", err)
	}
	a.log.Info("stream password made", "id", p.ID, "name", spec.Name, "talk", spec.Talk, "cameras", list(spec.Cameras), "by", p.User)
	return p, password, nil
}

// streamWords is a password that can be typed from a screen into a recorder's menu.
func streamWords() string {
	raw := make([]byte, 5*streamGroups)
	rand.Read(raw) // never fails
	var b strings.Builder
	for i, r := range raw {
		if i > 0 && i%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(streamLetters[r%32])
	}
	return b.String()
}

func streamHashes(user, password string) (md5Hex, sha256Hex string) {
	text := []byte(user + ":" + StreamRealm + ":" + password)
	m, s := md5.Sum(text), sha256.Sum256(text)
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:])
}

// StreamPasswords lists all, the newest first.
func (a *Access) StreamPasswords(ctx context.Context) ([]StreamPassword, error) {
	keys, err := a.streamKeys(ctx, `ORDER BY created DESC, id`)
	if err != nil {
		return nil, err
	}
	out := make([]StreamPassword, 0, len(keys))
	for _, k := range keys {
		out = append(out, k.StreamPassword)
	}
	return out, nil
}

func (a *Access) streamKeys(ctx context.Context, which string, args ...any) ([]StreamKey, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, user, name, md5, sha256, talk, cameras, created, seen FROM access_streams `+which, args...)
	if err != nil {
		return nil, fmt.Errorf("access: list stream passwords: %w", err)
	}
	defer rows.Close()
	var out []StreamKey
	for rows.Next() {
		var k StreamKey
		var cameras string
		var created, seen int64
		if err := rows.Scan(&k.ID, &k.User, &k.Name, &k.MD5, &k.SHA256, &k.Talk, &cameras, &created, &seen); err != nil {
			return nil, fmt.Errorf("access: list stream passwords: %w", err)
		}
		k.Cameras, k.Created, k.LastUsed = split[string](cameras), moment(created), moment(seen)
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("access: list stream passwords: %w", err)
	}
	return out, nil
}

// RevokeStreamPassword makes it worthless at once; ok is false where there is none of that id.
func (a *Access) RevokeStreamPassword(ctx context.Context, id string) (ok bool, err error) {
	res, err := a.db.ExecContext(ctx, `DELETE FROM access_streams WHERE id = ?`, id)
	if err != nil {
		return false, fmt.Errorf("access: revoke stream password: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("access: revoke stream password: %w", err)
	}
	if n > 0 {
		a.log.Info("stream password revoked", "id", id)
	}
	return n > 0, nil
}

// StreamKeys are those of the user, for a login from address. While too many wrong ones
// came from there a WaitError stands beside them, for who has none: no number of tries
// finds one, and who has one may share the address with who tries, as in IPv6 a whole
// house does, or behind a container's network.
func (a *Access) StreamKeys(ctx context.Context, user, address string) ([]StreamKey, error) {
	if len(user) > 64 {
		return nil, a.streamWait(address)
	}
	keys, err := a.streamKeys(ctx, `WHERE user = ?`, user)
	return keys, cmp.Or(err, a.streamWait(address))
}

func (a *Access) streamWait(address string) error {
	if wait := a.byStream.wait(network(address)); wait > 0 {
		return WaitError{wait}
	}
	return nil
}

// StreamWrong counts a wrong password. Programs on this machine are not slowed: one that
// has an old password would keep the others out.
func (a *Access) StreamWrong(address string) {
	if ip, err := netip.ParseAddr(address); err == nil && ip.Unmap().IsLoopback() {
		return
	}
	a.byStream.take(network(address))
}

// StreamUsed notes that somebody came in by it from address.
func (a *Access) StreamUsed(ctx context.Context, id, address string) {
	a.byStream.clear(network(address))
	now := a.now()
	// A full disk keeps nobody out.
	if _, err := a.db.ExecContext(ctx, `UPDATE access_streams SET seen = ? WHERE id = ? AND seen <= ?`,
		now.UnixMilli(), id, now.Add(-tokenSeenEvery).UnixMilli()); err != nil {
		a.log.Warn("use of a stream password not written", "id", id, "err", err)
	}
}

// StreamValid tells whether the password is still good. While hub.db cannot be read it is:
// who was let in by it, as a recorder, is not to lose the pictures for that.
func (a *Access) StreamValid(ctx context.Context, id string) bool {
	var n int
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM access_streams WHERE id = ?`, id).Scan(&n)
	return err != nil || n == 1
}
