package ledger

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"
)

const (
	// keep is how long a ring's id is known after nobody is told of it any more.
	keep = 10 * time.Minute
	// maxRings bounds what is kept; the oldest go first.
	maxRings = 1024
	// maxKeys bounds the listeners of one accessory.
	maxKeys = 256
)

// Ring is one ring with the span in which it may be told.
type Ring struct {
	ID        string    `json:"id"`
	Accessory string    `json:"accessory"` // under which its identity is kept: cameras get other ids
	Value     int       `json:"value"`     // of ProgrammableSwitchEvent
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"` // after it nobody is told
}

// entry is a ring with what was done about it in this life and the ones before.
type entry struct {
	Ring
	claims map[string]int  // by key, all lives
	peers  map[uint64]bool // connections of this life
	owed   map[string]int  // by key: listeners that the last life had, and that were not told
}

// Ledger is all rings of a house that may still be told, and who listens. All
// methods may be called at once.
type Ledger struct {
	now func() time.Time

	mu    sync.Mutex
	file  *os.File
	path  string
	size  int64
	limit int64 // of size
	fault error // of the last note
	rings map[string]*entry
	// before are the listeners that the last life had and that are not back yet, by accessory.
	before map[string]map[string]int
	// listening are those of this life.
	listening map[string]map[string]int
}

// Open reads the file, or begins one. What cannot be read of it is left out: the
// worst that follows is a ring told twice or not at all, and the plugin starts.
func Open(path string, now func() time.Time) (*Ledger, error) {
	l := &Ledger{now: now, path: path, rings: map[string]*entry{}, before: map[string]map[string]int{}, listening: map[string]map[string]int{}}
	if err := l.load(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("ledger: read: %w", err)
	}
	for _, e := range l.rings {
		e.owed = less(l.before[e.Accessory], e.claims)
	}
	if err := l.compact(); err != nil {
		return nil, err
	}
	return l, nil
}

// Close ends the file; the ledger is not used any more.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Take notes a ring before anybody is told. False: it is known already.
func (l *Ledger) Take(r Ring) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rings[r.ID] != nil {
		return false
	}
	l.forget()
	l.rings[r.ID] = &entry{Ring: r, claims: map[string]int{}, peers: map[uint64]bool{}, owed: maps.Clone(l.before[r.Accessory])}
	l.note(note{Ring: &r})
	return true
}

// Claim is asked right before a ring is written to a connection: true once for each
// connection, and never after the ring's time.
func (l *Ledger) Claim(id, key string, peer uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.rings[id]
	if e == nil || e.peers[peer] || l.now().After(e.Until) {
		return false
	}
	e.peers[peer] = true
	e.claims[key]++
	if e.owed[key] > 0 {
		e.owed[key]--
	}
	l.note(note{Claim: id, Key: key}) // a full disk silences nobody
	return true
}

// Release takes a claim back: the connection ended before the ring was on the wire.
// The listener is told when it is back in time. peer 0: it never claimed.
func (l *Ledger) Release(id, key string, peer uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.rings[id]
	if e == nil {
		return
	}
	if e.owed == nil {
		e.owed = map[string]int{}
	}
	e.owed[key]++
	if !e.peers[peer] || e.claims[key] == 0 {
		return
	}
	e.claims[key]--
	l.note(note{Release: id, Key: key})
}

// Listen notes that a connection hears of an accessory's rings from now on, and gives
// the rings that it is still to be told, oldest first.
func (l *Ledger) Listen(accessory, key string) []Ring {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.listening[accessory]
	if of == nil {
		of = map[string]int{}
		l.listening[accessory] = of
	}
	if of[key] > 0 || len(of) < maxKeys {
		of[key]++
	}
	if b := l.before[accessory]; b[key] > 0 {
		if b[key]--; b[key] == 0 {
			delete(b, key)
		}
	}
	l.note(l.listeners(accessory))
	return l.pending(accessory, key)
}

// Gone notes that a connection of this life hears no more. Connections that end
// with the plugin are not told of: they are those that a ring is owed to.
func (l *Ledger) Gone(accessory, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.listening[accessory]
	if of[key] == 0 {
		return
	}
	if of[key]--; of[key] == 0 {
		delete(of, key)
	}
	l.note(l.listeners(accessory))
}

// Rest notes that an accessory is closed for a while, with all connections: those who
// listened are owed the rings until they are back, and those of the last moments that
// no longer reached them.
func (l *Ledger) Rest(accessory string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.listeners(accessory)
	l.before[accessory], l.listening[accessory] = all.Listeners, nil
	for _, e := range l.rings {
		if e.Accessory != accessory {
			continue
		}
		e.peers = map[uint64]bool{} // the next connections have numbers of their own
		owed := less(all.Listeners, e.claims)
		for k, n := range e.owed {
			owed[k] = max(owed[k], n)
		}
		e.owed = owed
	}
	l.note(all)
}

// Forget notes that an accessory has become another one: whoever listened to it does not
// come back, and none of its rings is told any more.
func (l *Ledger) Forget(accessory string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.before, accessory)
	delete(l.listening, accessory)
	for _, e := range l.rings {
		if e.Accessory == accessory {
			e.Until = l.now().Add(-time.Nanosecond) // its id stays known
		}
	}
	l.fault = l.compact()
}

// Fault is why the last note could not be kept; nil while all is well.
func (l *Ledger) Fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// told is to how many connections it was written, in all lives.
func (e *entry) told() (n int) {
	for _, c := range e.claims {
		n += c
	}
	return n
}

// pending are the accessory's rings that this key is owed, or that nobody was told yet.
func (l *Ledger) pending(accessory, key string) []Ring {
	var out []Ring
	for _, e := range l.rings {
		if e.Accessory != accessory || l.now().After(e.Until) {
			continue
		}
		if e.owed[key] > 0 || e.told() == 0 {
			out = append(out, e.Ring)
		}
	}
	sortRings(out)
	return out
}

// listeners are those of this life and those of the last one that are not back.
func (l *Ledger) listeners(accessory string) note {
	all := map[string]int{}
	maps.Copy(all, l.listening[accessory])
	for k, n := range l.before[accessory] {
		if all[k] > 0 || len(all) < maxKeys { // phones change their addresses, and those of old never come back
			all[k] += n
		}
	}
	return note{Accessory: accessory, Listeners: all}
}

// forget drops what is long over, and the oldest of too many.
func (l *Ledger) forget() {
	limit := l.now().Add(-keep)
	for id, e := range l.rings {
		if e.Until.Before(limit) {
			delete(l.rings, id)
		}
	}
	for len(l.rings) >= maxRings {
		var oldest *entry
		for _, e := range l.rings {
			if oldest == nil || e.At.Before(oldest.At) {
				oldest = e
			}
		}
		delete(l.rings, oldest.ID)
	}
}

// less is a without b; nothing below one stays.
func less(a, b map[string]int) map[string]int {
	out := map[string]int{}
	for k, n := range a {
		if n -= b[k]; n > 0 {
			out[k] = n
		}
	}
	return out
}
