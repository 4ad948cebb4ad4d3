package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// Keep is how long a key is remembered: longer than the hub's last redelivery (1, 5, 30 s)
	// with a restart of either side between.
	Keep = 10 * time.Minute
	// maxKeys bounds the memory: 10 minutes of 200 events a second, 40 bytes each.
	maxKeys = 120_000
	// compactAfter lines without use the file is written anew.
	compactAfter = 20_000
	// retryAfter is how long the file is left alone after it could not be written.
	retryAfter = 5 * time.Second
	name       = "handled.log"
)

// Ledger is the set of keys. All methods may be called at once.
type Ledger struct {
	path string
	now  func() time.Time

	mu     sync.Mutex
	keys   map[string]int64 // unix milliseconds
	order  []entry          // oldest first; entries may be stale
	file   *os.File         // nil: memory only, until broken is over
	lines  int
	broken time.Time // last failure; zero: none
	missed bool      // something is in memory that is not in the file
}

type entry struct {
	key string
	at  int64
}

// Open reads what the last process left in dir. A folder that cannot be used is an
// error, together with a ledger that remembers in memory. An empty dir means memory only.
func Open(dir string) (*Ledger, error) {
	l := &Ledger{now: time.Now, keys: make(map[string]int64)}
	if dir == "" {
		return l, nil
	}
	l.path = filepath.Join(dir, name)
	if err := l.load(); err != nil {
		l.broken, l.missed = l.now(), true
		return l, fmt.Errorf("ledger: %w", err)
	}
	return l, nil
}

func (l *Ledger) load() error {
	b, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	limit := l.now().Add(-Keep).UnixMilli()
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		at, key, ok := parse(sc.Bytes())
		if ok && at >= limit {
			l.remember(key, at)
		}
	}
	return l.rewrite()
}

// parse reads "milliseconds key". A line cut short by a kill is no line.
func parse(line []byte) (at int64, key string, ok bool) {
	num, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(rest) == 0 || rest[len(rest)-1] != ';' {
		return 0, "", false
	}
	at, err := strconv.ParseInt(string(num), 10, 64)
	return at, string(rest[:len(rest)-1]), err == nil
}

// Has tells whether the key was added in the last ten minutes.
func (l *Ledger) Has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.keys[key]
	return ok && at >= l.now().Add(-Keep).UnixMilli()
}

// Add remembers the key, and writes it to the file before it returns. When that
// fails the key is remembered in memory; the error comes once for each spell of
// trouble, and the file is caught up when it can be written again. Keys must not
// hold a line break.
func (l *Ledger) Add(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now().UnixMilli()
	l.remember(key, at)
	if l.path == "" {
		return nil
	}
	err := l.write(key, at)
	if err == nil {
		l.broken = time.Time{}
		return nil
	}
	first := l.broken.IsZero()
	l.broken, l.missed = l.now(), true
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	if first {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// AddVolatile remembers the key in memory only.
func (l *Ledger) AddVolatile(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(key, l.now().UnixMilli())
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

func (l *Ledger) remember(key string, at int64) {
	l.keys[key] = at
	l.order = append(l.order, entry{key, at})
	limit := at - Keep.Milliseconds()
	n := 0
	for n < len(l.order) && (l.order[n].at < limit || len(l.order)-n > maxKeys) {
		if e := l.order[n]; l.keys[e.key] == e.at {
			delete(l.keys, e.key)
		}
		n++
	}
	if n > 0 {
		l.order = l.order[n:]
	}
}

func (l *Ledger) write(key string, at int64) error {
	if l.missed || l.file == nil || l.lines > 2*len(l.keys)+compactAfter {
		if !l.broken.IsZero() && l.now().Sub(l.broken) < retryAfter {
			return errWaiting
		}
		return l.rewrite() // holds the new key too
	}
	l.lines++
	_, err := l.file.Write(line(nil, entry{key, at}))
	return err
}

var errWaiting = errors.New("the file could not be written a moment ago")

// rewrite puts all that is remembered into a new file, which takes the old one's place.
func (l *Ledger) rewrite() error {
	var b []byte
	n := 0
	for _, e := range l.order {
		if l.keys[e.key] == e.at {
			b = line(b, e)
			n++
		}
	}
	tmp := l.path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		_ = os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, l.path); err != nil {
		_ = f.Close()
		return err
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.lines, l.missed = f, n, false
	return nil
}

func line(b []byte, e entry) []byte {
	b = strconv.AppendInt(b, e.at, 10)
	b = append(b, ' ')
	b = append(b, e.key...)
	return append(b, ';', '\n')
}
