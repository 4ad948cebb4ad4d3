package ledger

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

type house struct {
	t    *testing.T
	path string
	at   time.Time
	*Ledger
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, path: filepath.Join(t.TempDir(), "rings"), at: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	h.again()
	return h
}

// again is a new life: the process before was killed.
func (h *house) again() {
	h.t.Helper()
	l, err := Open(h.path, func() time.Time { return h.at })
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { l.Close() })
	h.Ledger = l
}

func (h *house) ring(id string) Ring {
	return Ring{ID: id, Accessory: "door", At: h.at, Until: h.at.Add(30 * time.Second)}
}

func (h *house) listen(key string, want ...string) {
	h.t.Helper()
	got := h.Listen("door", key)
	if len(got) != len(want) {
		h.t.Fatalf("%s is owed %v, want %v", key, got, want)
	}
	for i, r := range got {
		if r.ID != want[i] {
			h.t.Fatalf("%s is owed %v, want %v", key, got, want)
		}
	}
}

// Each connection once, however often it is asked; several of one key each once.
func TestClaimOnce(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.listen("a")
	if !h.Take(h.ring("1")) || h.Take(h.ring("1")) {
		t.Fatal("a ring is taken once")
	}
	for peer := range uint64(2) {
		if !h.Claim("1", "a", peer+1) || h.Claim("1", "a", peer+1) {
			t.Fatalf("peer %d: want one claim", peer+1)
		}
	}
	if h.Claim("2", "a", 1) {
		t.Error("a ring that nobody took was claimed")
	}
	if n := h.rings["1"].told(); n != 2 {
		t.Errorf("told %d, want 2", n)
	}
	h.at = h.at.Add(31 * time.Second)
	if h.Claim("1", "b", 9) {
		t.Error("told after its time")
	}
}

// A plugin that dies between two writes: who was told is not told again, who was
// not is, once, in time.
func TestKilledInBetween(t *testing.T) {
	h := newHouse(t)
	for _, k := range []string{"a", "b", "b", "c"} {
		h.listen(k)
	}
	h.Take(h.ring("1"))
	h.Claim("1", "a", 1)
	h.Claim("1", "b", 2)
	h.again()
	if h.Take(h.ring("1")) {
		t.Fatal("the hub sends it again, and it is known")
	}
	h.listen("a")
	h.listen("b", "1")
	if !h.Claim("1", "b", 1) {
		t.Fatal("the second of b was not told")
	}
	h.listen("b") // one more of b than there were
	h.at = h.at.Add(31 * time.Second)
	h.listen("c") // too late
}

// A ring that came while nobody was there, or between two lives.
func TestNobodyThere(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.listen("b")
	h.again()
	h.Take(h.ring("1"))
	h.listen("a", "1")
	h.Claim("1", "a", 1)
	h.listen("b", "1") // it was there before the kill, so it is owed it too
	h.Claim("1", "b", 2)
	h.listen("stranger") // came later: the ring was told
	h.Gone("door", "a")
	h.Gone("door", "b")
	h.Gone("door", "stranger")
	h.again()
	h.Take(h.ring("2"))
	h.listen("x", "2") // nobody heard it yet
}

// A connection that broke with the ring in its queue is told when it is back.
func TestRelease(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.listen("b")
	h.Take(h.ring("1"))
	h.Claim("1", "b", 2)
	h.Release("1", "a", 1) // never got as far as its claim
	h.Claim("1", "a", 0)
	h.Release("1", "b", 2)
	h.listen("b", "1")
	h.again()
	h.listen("b", "1")
}

// A file that was cut, or written over, costs its broken lines alone.
func TestDamagedFile(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.Take(h.ring("1"))
	b, err := os.ReadFile(h.path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range b {
		if err := os.WriteFile(h.path, append(append([]byte{}, b[:cut]...), "\x00{\n\n[]\n7\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		h.again()
	}
	os.WriteFile(h.path, b, 0o600)
	h.again()
	h.listen("a", "1")
}

// The file stays small however long the house lives.
func TestBounded(t *testing.T) {
	h := newHouse(t)
	for i := range 5000 {
		h.at = h.at.Add(time.Second)
		r := h.ring(string(rune('a'+i%26)) + time.Duration(i).String())
		h.Take(r)
		h.Claim(r.ID, "a", 1)
		h.listen("k" + time.Duration(i%500).String())
	}
	st, err := os.Stat(h.path)
	if err != nil || st.Size() > 2*maxFile || len(h.rings) > maxRings || h.Fault() != nil {
		t.Fatalf("%v bytes, %d rings, %v, %v", st.Size(), len(h.rings), err, h.Fault())
	}
}

// An accessory that is made anew while the plugin lives.
func TestRest(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.listen("b")
	h.Take(h.ring("1"))
	h.Claim("1", "a", 1)
	h.Claim("1", "b", 2)
	h.Rest("door")
	h.Take(h.ring("2"))
	h.listen("a", "2")
	if !h.Claim("2", "a", 1) {
		t.Fatal("a connection of the same number as an old one is another one")
	}
	h.listen("b", "2")
	h.Claim("2", "b", 2)
	h.listen("c")
}

// A ring of the moment in which the accessory is closed: it reached nobody, or only one
// of two, and both are owed it.
func TestRestOwesTheLastRings(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.listen("b")
	h.Take(h.ring("1"))
	h.Claim("1", "a", 1)
	h.Take(h.ring("2"))
	h.Rest("door")
	h.listen("a", "2")
	h.Claim("2", "a", 1)
	h.listen("b", "1", "2")
	h.Claim("1", "b", 2)
	h.Claim("2", "b", 2)
	h.listen("a")
	h.listen("b")
}

// An accessory that was reset has no listeners, and tells none of its old rings.
func TestForget(t *testing.T) {
	h := newHouse(t)
	h.listen("a")
	h.Take(h.ring("1"))
	h.Rest("door")
	h.Forget("door")
	if h.Take(h.ring("1")) {
		t.Error("the hub sends it again, and it is known")
	}
	h.Take(h.ring("2"))
	h.listen("b", "2")
	h.Claim("2", "b", 1)
	h.listen("a")
	if h.Fault() != nil {
		t.Error(h.Fault())
	}
}

// Phones that come back under ever new addresses do not add up.
func TestListenersOfOld(t *testing.T) {
	h := newHouse(t)
	for n := range 3 * maxKeys {
		h.listen(strconv.Itoa(n))
		if n%100 == 0 {
			h.Rest("door")
		}
	}
	h.Rest("door")
	if n := len(h.before["door"]); n > maxKeys {
		t.Errorf("%d listeners are waited for", n)
	}
}
