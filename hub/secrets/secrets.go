package secrets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// ErrNotFound: there is no secret of that name.
var ErrNotFound = errors.New("secrets: no such secret")

// maxSecret bounds one secret; tokens and keys are far smaller.
const maxSecret = 64 << 10

// maxKnown bounds the values that are masked: each text is searched for all of them.
const maxKnown = 1000

var nameOK = regexp.MustCompile(`^[a-z0-9_][a-z0-9_.-]{0,63}$`)

// Store reads secrets under one folder and knows which values to mask.
type Store struct {
	dir string

	mu    sync.RWMutex
	known []string // values seen, longest first
}

// Open makes the folder (0700) where it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("secrets: folder: %w", err)
	}
	return &Store{dir: dir}, nil
}

// Get reads the secret that a plugin entry owns.
func (s *Store) Get(plugin, name string) (string, error) {
	if !nameOK.MatchString(plugin) || !nameOK.MatchString(name) {
		return "", fmt.Errorf("secrets: %.64q: only a-z, 0-9, _, . and - may stand in a name", name)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return "", fmt.Errorf("secrets: folder: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(plugin+"/"+name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("secrets: read %s/%s: %w", plugin, name, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("secrets: read %s/%s: %w", plugin, name, err)
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("secrets: %s/%s is not a file", plugin, name)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("secrets: %s/%s is readable by others; run chmod 600 on it", plugin, name)
	}
	if st.Size() > maxSecret {
		return "", fmt.Errorf("secrets: %s/%s is larger than 64 KiB", plugin, name)
	}
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		return "", fmt.Errorf("secrets: read %s/%s: %w", plugin, name, err)
	}
	v := strings.TrimRight(string(b), "\r\n")
	s.Know(v)
	return v, nil
}

// Know adds a value that Redact masks. Values under four characters are left
// out: masking them would make logs unreadable and hides little.
func (s *Store) Know(value string) {
	if len(value) < 4 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.known, value) || len(s.known) >= maxKnown {
		return
	}
	s.known = append(s.known, value)
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// Known are the values that Redact masks.
func (s *Store) Known() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.known)
}

// Redact replaces every known secret in text by ***.
func (s *Store) Redact(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, v := range s.known {
		text = strings.ReplaceAll(text, v, "***")
	}
	return text
}
