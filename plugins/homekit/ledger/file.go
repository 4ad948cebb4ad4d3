package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// maxFile is where the file is written anew, in bytes, unless what matters is half of it.
const maxFile = 256 << 10

// note is one line of the file; it says one thing.
type note struct {
	Ring      *Ring          `json:"ring,omitempty"`
	Claim     string         `json:"claim,omitempty"`   // a ring's id, with Key
	Release   string         `json:"release,omitempty"` // a ring's id, with Key
	Key       string         `json:"key,omitempty"`
	Accessory string         `json:"accessory,omitempty"` // with Listeners
	Listeners map[string]int `json:"listeners,omitempty"`
}

// note appends one line in one write: of a process that is killed there is a whole
// line or a torn last one, which load leaves out.
func (l *Ledger) note(n note) {
	line, err := json.Marshal(n)
	if err == nil && l.size+int64(len(line)) > l.limit {
		l.fault = l.compact() // it holds what the note says
		return
	}
	if err == nil {
		var k int
		k, err = l.file.Write(append(line, '\n'))
		l.size += int64(k)
	}
	if l.fault = err; err != nil {
		l.fault = fmt.Errorf("ledger: write: %w", err)
	}
}

// load reads the file; a line that is none is passed over.
func (l *Ledger) load() error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxFile)
	for lines.Scan() {
		var n note
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &n) == nil {
			l.apply(n)
		}
	}
	l.forget()
	return nil // a line longer than the file may be ends the reading; what was before it counts
}

func (l *Ledger) apply(n note) {
	switch {
	case n.Ring != nil && n.Ring.ID != "":
		l.rings[n.Ring.ID] = &entry{Ring: *n.Ring, claims: map[string]int{}, peers: map[uint64]bool{}}
	case l.rings[n.Claim] != nil:
		l.rings[n.Claim].claims[n.Key]++
	case l.rings[n.Release] != nil && l.rings[n.Release].claims[n.Key] > 0:
		l.rings[n.Release].claims[n.Key]--
	case n.Accessory != "":
		l.before[n.Accessory] = map[string]int{}
		for k, c := range n.Listeners {
			if c > 0 && len(l.before[n.Accessory]) < maxKeys {
				l.before[n.Accessory][k] = min(c, maxKeys)
			}
		}
	}
}

// compact writes what still matters into a new file that takes the old one's place.
func (l *Ledger) compact() error {
	l.forget()
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	for _, e := range l.sorted() {
		w.Encode(note{Ring: &e.Ring})
		for k, c := range e.claims {
			for range c {
				w.Encode(note{Claim: e.ID, Key: k})
			}
		}
	}
	accessories := maps.Clone(l.before)
	maps.Copy(accessories, l.listening)
	for a := range accessories {
		if n := l.listeners(a); len(n.Listeners) > 0 {
			w.Encode(n)
		}
	}
	f, err := os.OpenFile(l.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		f.Close()
		return fmt.Errorf("ledger: write: %w", err)
	}
	if err := os.Rename(l.path+".new", l.path); err != nil {
		f.Close()
		return fmt.Errorf("ledger: %w", err)
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size = f, int64(b.Len())
	l.limit = max(maxFile, 2*l.size)
	return nil
}

func (l *Ledger) sorted() []*entry {
	var out []*entry
	for _, e := range l.rings {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.At.Compare(b.At) })
	return out
}

func sortRings(r []Ring) {
	slices.SortFunc(r, func(a, b Ring) int { return a.At.Compare(b.At) })
}
