package host

import (
	"cmp"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// maxRepairs bounds the cards of one owner (a plugin, or a room of the hub).
const maxRepairs = 16

// Repair is a card: what is wrong, what it means, how to mend it.
type Repair struct {
	Owner  string    `json:"owner"` // plugin entry, or the room that opened it
	Key    string    `json:"key"`
	Title  string    `json:"title"`
	Effect string    `json:"effect,omitempty"`
	Fix    string    `json:"fix,omitempty"`
	Code   string    `json:"code,omitempty"` // of `porchlight explain`
	Since  time.Time `json:"since"`
}

// Repairs that are open. Safe for concurrent use.
type Repairs struct {
	now func() time.Time

	mu   sync.Mutex
	open map[string]map[string]Repair
}

func newRepairs(now func() time.Time) *Repairs {
	return &Repairs{now: now, open: map[string]map[string]Repair{}}
}

// Open a card, or change the one with the same key.
func (r *Repairs) Open(owner string, c Repair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.open[owner]
	if of == nil {
		of = map[string]Repair{}
		r.open[owner] = of
	}
	old, ok := of[c.Key]
	if !ok && len(of) >= maxRepairs {
		return
	}
	c.Owner, c.Since = owner, r.now()
	if ok {
		c.Since = old.Since
	}
	of[c.Key] = c
}

// Close a card.
func (r *Repairs) Close(owner, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open[owner], key)
}

// CloseAll cards of an owner that is gone.
func (r *Repairs) CloseAll(owner string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, owner)
}

// List the open cards, oldest first.
func (r *Repairs) List() []Repair {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Repair
	for _, of := range r.open {
		for _, c := range of {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Repair) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Repair is a plugin's own card.
func (h *Host) Repair(plugin string, m *pb.Repair) {
	key := clip(m.GetKey(), 64)
	if m.GetClosed() {
		h.repairs.Close(plugin, key)
		return
	}
	h.repairs.Open(plugin, Repair{Key: key, Title: clip(m.GetTitle(), 200), Effect: clip(m.GetEffect(), 500), Fix: clip(m.GetFix(), 500)})
}

// clip bounds a text of a plugin.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) { // half a character is no text, and a message with it is not sent
		n--
	}
	return s[:n] + "…"
}
