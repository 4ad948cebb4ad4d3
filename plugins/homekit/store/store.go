package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ErrFull is told when there is no room for another pairing.
var ErrFull = errors.New("homekit store: pair: all places for controllers are taken")

// MaxPairings is how many controllers an accessory is paired with at most; HAP 5.10
// demands room for 16.
const MaxPairings = 16

// Damaged says that a file of an accessory cannot be used. Nothing was changed.
type Damaged struct {
	File string
	Why  error
}

func (d *Damaged) Error() string { return fmt.Sprintf("homekit store: read %s: %v", d.File, d.Why) }
func (d *Damaged) Unwrap() error { return d.Why }
func (d *Damaged) Code() string  { return "E-HOMEKIT-STORE" }
func (d *Damaged) Hint() string {
	return fmt.Sprintf("Put %s back from a backup, or reset this accessory (porchlight homekit reset) and add it in Home again.", d.File)
}

// House is the folder of all accessories.
type House struct {
	dir string
	cut func(step string) error // tests cut the power here; nil otherwise

	mu   sync.Mutex
	open map[string]*Accessory // one for each id, so that two never write one folder
}

// Open makes the folder if there is none, readable by its owner alone.
func Open(dir string) (*House, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("homekit store: open: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("homekit store: open: %w", err)
	}
	return &House{dir: dir, open: map[string]*Accessory{}}, nil
}

// The folders beside an accessory's own, while it is made or reset.
const (
	fresh = ".new-" // being made, then whole
	stale = ".old-" // replaced, to be removed
)

var validID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

// Accessory opens the accessory with this id. Where nothing at all is kept of it, it
// gets a new identity and a setup code; where something is kept that cannot be used, the
// error is a *Damaged.
func (h *House) Accessory(id string) (*Accessory, error) {
	if !validID.MatchString(id) {
		return nil, fmt.Errorf("homekit store: open: %q cannot name a folder", id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.open[id]; a != nil {
		return a, nil
	}
	if err := h.settle(id); err != nil {
		return nil, err
	}
	if empty, err := h.empty(id); err != nil {
		return nil, err
	} else if empty {
		if err := os.RemoveAll(filepath.Join(h.dir, id)); err != nil {
			return nil, fmt.Errorf("homekit store: open: %w", err)
		}
		if err := h.make(id); err != nil {
			return nil, err
		}
		if err := h.rename(fresh+id, id); err != nil {
			return nil, err
		}
	}
	a, err := h.load(id)
	if err != nil {
		return nil, err
	}
	h.open[id] = a
	return a, nil
}

// settle ends what a power cut left half done. Reset makes the fresh folder whole, moves
// the old one away, puts the fresh one in its place and removes the old one, so: with the
// old one away and nothing in its place the fresh one is whole; otherwise it is not
// needed.
func (h *House) settle(id string) error {
	here, away := h.exists(id), h.exists(stale+id)
	if !here && away {
		from := fresh + id
		if !h.exists(from) { // somebody removed it; what was is better than nothing
			from = stale + id
		}
		if err := h.rename(from, id); err != nil {
			return err
		}
	}
	for _, left := range []string{fresh + id, stale + id} {
		if err := os.RemoveAll(filepath.Join(h.dir, left)); err != nil {
			return fmt.Errorf("homekit store: clear: %w", err)
		}
	}
	return nil
}

func (h *House) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(h.dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

// empty tells whether nothing is kept of id: no folder, or one without a file.
func (h *House) empty(id string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(h.dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("homekit store: open: %w", err)
	}
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), temp) }), nil
}

// rename moves a folder and makes it last.
func (h *House) rename(from, to string) error {
	if err := h.step("rename " + from); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(h.dir, from), filepath.Join(h.dir, to)); err != nil {
		return fmt.Errorf("homekit store: put in place: %w", err)
	}
	if err := h.step("renamed " + from); err != nil {
		return err
	}
	return syncDir(h.dir)
}

// IDs are the accessories that something is kept of, in the order of their names.
func (h *House) IDs() ([]string, error) {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return nil, fmt.Errorf("homekit store: list: %w", err)
	}
	var ids []string
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), stale) // a reset that the power cut: its accessory is still known
		if e.IsDir() && validID.MatchString(name) && !slices.Contains(ids, name) {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Remove forgets an accessory: identity, code, pairings. One that is open is not to be
// used any more.
func (h *House) Remove(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("homekit store: remove: %q cannot name a folder", id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.open[id]; a != nil {
		a.mu.Lock()
		a.gone = true
		a.mu.Unlock()
		delete(h.open, id)
	}
	if err := h.settle(id); err != nil {
		return err
	}
	if !h.exists(id) {
		return nil
	}
	// Moved under a name that settle clears, so that half of it never stays behind.
	if err := h.rename(id, fresh+id); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(h.dir, fresh+id)); err != nil {
		return fmt.Errorf("homekit store: remove: %w", err)
	}
	return nil
}

func (h *House) step(name string) error {
	if h.cut == nil {
		return nil
	}
	return h.cut(name)
}
