package pairing

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

func TestPairAndVerify(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "2E1A7D6C-0000-4000-8000-000000000001")
	p.pair(r, 1)
	if r.changes != 1 {
		t.Errorf("told %d times that it is paired", r.changes)
	}
	r.open() // a new process
	v := r.desk.NewVerify()
	m := p.meet(r, v)
	reply, done := v.Handle(p.finish(m, p.private))
	if done == nil || done.Controller != p.name || !done.Admin || !bytes.Equal(done.Secret[:], m.secret) {
		t.Fatalf("% x, %+v", reply, done)
	}
	if !bytes.Equal(reply, []byte{itemState, 1, 4}) {
		t.Errorf("M4 is % x", reply)
	}
	read, _ := derive(m.secret, "Control-Salt", "Control-Read-Encryption-Key")
	write, _ := derive(m.secret, "Control-Salt", "Control-Write-Encryption-Key")
	if done.Read != read || done.Write != write {
		t.Error("the keys of the connection differ")
	}
	refusedWith(t, r.desk.Setup(2, m1()), 2, unavailable)
}

// TestSRPVector is the exchange of HAP 5.5.2.
func TestSRPVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := unhex("60975527 035CF2AD 1989806F 0407210B C81EDC04 E2762A56 AFD529DD DA2D4393")
	b := unhex("E487CB59 D31AC550 471E81F0 0F6928E0 1DDA08E9 74A004F4 9E61F5D1 05284D20")
	salt := unhex("BEB25379 D1A8581E B5A72767 3A2441EE")
	key := unhex("5CBC219D B052138E E1148C71 CD449896 3D682549 CE91CA24 F098468F 06015BEB" +
		"6AF245C2 093F98C3 651BCA83 AB8CAB2B 580BBF02 184FEFDF 26142F73 DF95AC50")

	was := rand.Reader // the module draws the salt, then b
	rand.Reader = bytes.NewReader(slices.Concat(salt, b))
	x, err := newExchangeFor("alice", "password123")
	rand.Reader = was
	if err != nil || !bytes.Equal(x.salt, salt) {
		t.Fatalf("salt % x, %v", x.salt, err)
	}
	// The other side by hand: K of the vector, and the proof that follows from it.
	n := x.prime
	public := new(big.Int).Exp(big.NewInt(5), new(big.Int).SetBytes(a), n).Bytes()
	hash := func(parts ...[]byte) []byte { s := sha512.Sum512(slices.Concat(parts...)); return s[:] }
	hn, hg := hash(n.Bytes()), hash([]byte{5})
	for i := range hn {
		hn[i] ^= hg[i]
	}
	proof := hash(hn, hash([]byte("alice")), salt, public, x.public, key)
	secret, ours, err := x.prove(public, proof)
	if err != nil || !bytes.Equal(secret, key) || !bytes.Equal(ours, hash(public, proof, key)) {
		t.Errorf("secret % x, %v", secret, err)
	}
}

func TestWrongCodesAreCounted(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	for i := range 3 {
		refusedWith(t, r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), "111-22-333")), 4, authentication)
		if r.book.Tries() != i+1 {
			t.Fatalf("%d tries are counted", r.book.Tries())
		}
	}
	for r.book.Tries() < MaxTries-1 {
		if _, err := r.book.Try(); err != nil {
			t.Fatal(err)
		}
	}
	refusedWith(t, r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), "111-22-333")), 4, authentication)
	refusedWith(t, r.desk.Setup(1, m1()), 2, maxTries)
	r.open() // neither another process nor another phone helps
	refusedWith(t, r.desk.Setup(7, m1()), 2, maxTries)
	if err := r.book.ClearTries(); err != nil {
		t.Fatal(err)
	}
	p.pair(r, 1)
	if r.book.Tries() != 0 {
		t.Error("a pairing did not clear the count")
	}
}

// TestTriesOfOneBeginning: a proof can be tried once for each beginning.
func TestTriesOfOneBeginning(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	m2 := r.desk.Setup(1, m1())
	refusedWith(t, r.desk.Setup(1, p.m3(m2, "111-22-333")), 4, authentication)
	refusedWith(t, r.desk.Setup(1, p.m3(m2, r.code())), 4, unknown)
	if r.book.Tries() != 1 {
		t.Errorf("%d tries", r.book.Tries())
	}
}

func TestHostileProofs(t *testing.T) {
	prime := func() *big.Int {
		x, err := newExchange("518-08-582")
		if err != nil {
			t.Fatal(err)
		}
		return x.prime
	}()
	zero := []byte{0}
	for name, public := range map[string][]byte{
		"0": zero, "N": prime.Bytes(), "2N": new(big.Int).Lsh(prime, 1).Bytes(), "zeros": make([]byte, srpSize),
		"N+1": new(big.Int).Add(prime, big.NewInt(1)).Bytes(), "too long": bytes.Repeat([]byte{1}, 1000),
	} {
		r := newRig(t)
		r.desk.Setup(1, m1())
		// With A = 0 the secret is that of 0, which everybody can compute.
		k := sha512.Sum512(nil)
		var w tlv.Writer
		w.Byte(itemState, 3).Bytes(itemPublicKey, public).Bytes(itemProof, k[:])
		refusedWith(t, r.desk.Setup(1, w.Out()), 4, authentication)
		if r.book.Tries() != 1 {
			t.Errorf("%s: %d tries", name, r.book.Tries())
		}
	}
	for name, w := range map[string]*tlv.Writer{
		"no key":      body(0, 3).Bytes(itemProof, make([]byte, 64)),
		"no proof":    body(0, 3).Bytes(itemPublicKey, []byte{1}),
		"empty proof": body(0, 3).Bytes(itemPublicKey, []byte{1}).Bytes(itemProof, nil),
	} {
		r := newRig(t)
		r.desk.Setup(1, m1())
		t.Log(name)
		refusedWith(t, r.desk.Setup(1, w.Out()), 4, unknown)
	}
}

func TestBusyOnlyWhileAnotherIsInProgress(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	refusedWith(t, r.desk.Setup(9, []byte{itemState, 1, 3}), 4, unknown) // nobody has begun
	r.desk.Setup(1, m1())
	refusedWith(t, r.desk.Setup(2, m1()), 2, busy)
	refusedWith(t, r.desk.Setup(2, []byte{itemState, 1, 3}), 4, busy)
	r.desk.Gone(2) // another's end changes nothing
	refusedWith(t, r.desk.Setup(2, m1()), 2, busy)
	r.desk.Gone(1)
	if r.desk.Busy() {
		t.Error("busy with nobody")
	}
	p.pair(r, 2)
}

func TestIdlePairers(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	m2 := r.desk.Setup(1, m1())
	r.now = r.now.Add(stepTime - time.Second)
	refusedWith(t, r.desk.Setup(2, m1()), 2, busy)
	r.now = r.now.Add(time.Second)
	refusedWith(t, r.desk.Setup(1, p.m3(m2, r.code())), 4, unknown) // too late
	p.pair(r, 2)
}

// TestWhoBeginsAgainAndAgain does not keep others out for ever.
func TestWhoBeginsAgainAndAgain(t *testing.T) {
	r := newRig(t)
	start := r.now
	for r.now.Sub(start) < allTime {
		r.desk.Setup(1, m1())
		refusedWith(t, r.desk.Setup(2, m1()), 2, busy)
		r.now = r.now.Add(10 * time.Second)
	}
	newPhone(t, "p").pair(r, 2)
}

func TestStepsOutOfOrder(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	m2 := r.desk.Setup(1, m1())
	m3 := p.m3(m2, r.code())
	refusedWith(t, r.desk.Setup(1, p.m5(p.private)), 6, unknown) // M5 before M3
	refusedWith(t, r.desk.Setup(1, m3), 4, unknown)              // what was begun is over
	m3 = p.m3(r.desk.Setup(1, m1()), r.code())
	r.desk.Setup(1, m3)
	refusedWith(t, r.desk.Setup(1, m3), 4, unknown) // M3 replayed
	refusedWith(t, r.desk.Setup(1, p.m5(p.private)), 6, unknown)
	r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), r.code()))
	m5 := p.m5(p.private)
	if f, ok := parse(t, r.desk.Setup(1, m5)).Byte(itemError); ok {
		t.Fatalf("error %d", f)
	}
	refusedWith(t, r.desk.Setup(1, m5), 6, unknown) // M5 replayed
	refusedWith(t, r.desk.Setup(2, m5), 6, unknown)
	for _, s := range []byte{0, 2, 4, 6, 255} {
		if _, ok := parse(t, r.desk.Setup(1, []byte{itemState, 1, s})).Byte(itemError); !ok {
			t.Errorf("state %d was taken", s)
		}
	}
	if len(r.book.Pairings()) != 1 || r.changes != 1 {
		t.Errorf("%d pairings", len(r.book.Pairings()))
	}
}

func TestBadIntroductions(t *testing.T) {
	other := newPhone(t, "other")
	for name, c := range map[string]struct {
		m5   func(p *phone) []byte
		want failure
	}{
		"signature by another key": {func(p *phone) []byte { return p.m5(other.private) }, authentication},
		"other session's key":      {func(p *phone) []byte { p.key[0] ^= 1; return p.m5(p.private) }, authentication},
		"no sealed part":           {func(*phone) []byte { return []byte{itemState, 1, 5} }, authentication},
		"short sealed part":        {func(*phone) []byte { return []byte{itemState, 1, 5, itemEncrypted, 3, 1, 2, 3} }, authentication},
		"sealed garbage":           {func(p *phone) []byte { return p.sealed(5, "PS-Msg05", []byte{1}) }, unknown},
		"sealed nothing":           {func(p *phone) []byte { return p.sealed(5, "PS-Msg05", nil) }, unknown},
		"no name":                  {func(p *phone) []byte { p.name = ""; return p.m5(p.private) }, unknown},
		"65 bytes":                 {func(p *phone) []byte { p.name = strings.Repeat("x", 65); return p.m5(p.private) }, unknown},
		"no text":                  {func(p *phone) []byte { p.name = "\xff\xfe"; return p.m5(p.private) }, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := newPhone(t, "p")
			r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), r.code()))
			refusedWith(t, r.desk.Setup(1, c.m5(p)), 6, c.want)
			if len(r.book.Pairings()) != 0 || r.changes != 0 {
				t.Error("it was paired")
			}
		})
	}
}

func TestNamesOf1To64Bytes(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("ä", 32), strings.Repeat("y", 64), "a:b/../c"} {
		r := newRig(t)
		p := newPhone(t, name)
		p.pair(r, 1)
		r.open()
		v := r.desk.NewVerify()
		if _, done := v.Handle(p.finish(p.meet(r, v), p.private)); done == nil || done.Controller != name {
			t.Errorf("%q: %v", name, done)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	r := newRig(t)
	p := newPhone(t, "p")
	p.pair(r, 1)
	stranger := newPhone(t, "stranger")
	handle := func(v *Verify, b []byte) []byte {
		t.Helper()
		reply, done := v.Handle(b)
		if done != nil {
			t.Fatal("verified")
		}
		return reply
	}
	v := r.desk.NewVerify()
	refusedWith(t, handle(v, stranger.finish(stranger.meet(r, v), stranger.private)), 4, authentication)
	refusedWith(t, handle(v, p.finish(p.meet(r, v), stranger.private)), 4, authentication)
	m := p.meet(r, v)
	good := p.finish(m, p.private)
	refusedWith(t, handle(r.desk.NewVerify(), good), 4, unknown) // on another connection
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	refusedWith(t, handle(v, forged), 4, authentication)
	refusedWith(t, handle(v, good), 4, unknown) // after a failure it begins anew
	m = p.meet(r, v)
	p.meet(r, v) // the second M1 counts
	refusedWith(t, handle(v, p.finish(m, p.private)), 4, authentication)
	m = p.meet(r, v)
	if _, done := v.Handle(p.finish(m, p.private)); done == nil {
		t.Fatal("the right one was refused")
	}
	refusedWith(t, handle(v, p.finish(m, p.private)), 4, unknown) // replayed
	if _, err := r.book.Unpair("p"); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, handle(v, p.finish(p.meet(r, v), p.private)), 4, authentication) // known no more
}

// TestLowOrderPoints: with these the secret would be zero whatever our key is.
func TestLowOrderPoints(t *testing.T) {
	r := newRig(t)
	points := []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"", "01", strings.Repeat("09", 33),
	}
	for _, p := range points {
		b, err := hex.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		var w tlv.Writer
		reply, done := r.desk.NewVerify().Handle(w.Byte(itemState, 1).Bytes(itemPublicKey, b).Out())
		if done != nil {
			t.Fatal("verified")
		}
		refusedWith(t, reply, 2, unknown)
	}
}

func TestListAddRemove(t *testing.T) {
	r := newRig(t)
	p, guest := newPhone(t, "p"), newPhone(t, "guest")
	p.pair(r, 1)
	by := Verified{Controller: "p", Admin: true}
	add := func(who *phone, permission byte) []byte {
		return body(methodAdd, 1).String(itemIdentifier, who.name).Bytes(itemPublicKey, who.public()).Byte(itemPermission, permission).Out()
	}
	ok := func(b []byte) {
		t.Helper()
		reply, _ := r.desk.Pairings(by, b)
		if !bytes.Equal(reply, []byte{itemState, 1, 2}) {
			t.Errorf("% x", reply)
		}
	}
	ok(add(guest, 0))
	ok(add(guest, 0))
	reply, _ := r.desk.Pairings(by, body(methodList, 1).Out())
	parts := parse(t, reply).Split()
	if len(parts) != 2 {
		t.Fatalf("the list is % x", reply)
	}
	if name, _ := parts[0].Bytes(itemIdentifier); string(name) != "guest" {
		t.Errorf("first is %q", name)
	}
	if perm, has := parts[1].Byte(itemPermission); !has || perm != 1 {
		t.Errorf("p has permission %d", perm)
	}
	// Another key under a known name, and a name under which nobody may administer.
	refuse := func(by Verified, b []byte, f failure) {
		t.Helper()
		reply, removed := r.desk.Pairings(by, b)
		refusedWith(t, reply, 2, f)
		if len(removed) != 0 {
			t.Errorf("removed %v", removed)
		}
	}
	refuse(by, add(newPhone(t, "guest"), 1), unknown)
	refuse(by, add(p, 0), unknown)
	refuse(by, add(newPhone(t, "x"), 2), unknown)
	refuse(by, add(newPhone(t, ""), 0), unknown)
	refuse(by, body(methodAdd, 1).Out(), unknown)
	refuse(by, body(methodRemove, 1).Out(), unknown)
	refuse(by, body(9, 1).Out(), unknown)
	refuse(by, body(methodList, 2).Out(), unknown)
	refuse(by, []byte{1}, unknown)
	// Who is no administrator, or none any more, may nothing.
	for _, w := range [][]byte{add(newPhone(t, "y"), 0), body(methodRemove, 1).String(itemIdentifier, "p").Out(), body(methodList, 1).Out()} {
		refuse(Verified{Controller: "guest", Admin: true}, w, authentication)
		refuse(Verified{Controller: "nobody", Admin: true}, w, authentication)
	}
	ok(add(guest, 1)) // a second administrator
	ok(add(p, 0))     // now the first one may step back
	refuse(by, body(methodList, 1).Out(), authentication)
	by.Controller = "guest"
	for i := len(r.book.Pairings()); i < store.MaxPairings; i++ {
		ok(add(newPhone(t, strings.Repeat("z", i)), 0))
	}
	refuse(by, add(newPhone(t, "one more"), 0), maxPeers)

	ok(body(methodRemove, 1).String(itemIdentifier, "nobody").Out())
	reply, removed := r.desk.Pairings(by, body(methodRemove, 1).String(itemIdentifier, "p").Out())
	if !bytes.Equal(reply, []byte{itemState, 1, 2}) || !slices.Equal(removed, []string{"p"}) || r.changes != 1 {
		t.Errorf("% x, removed %v, %d changes", reply, removed, r.changes)
	}
	reply, removed = r.desk.Pairings(by, body(methodRemove, 1).String(itemIdentifier, "guest").Out())
	if !bytes.Equal(reply, []byte{itemState, 1, 2}) || len(removed) != store.MaxPairings-1 || r.changes != 2 {
		t.Errorf("% x, removed %v, %d changes", reply, removed, r.changes)
	}
	p.pair(r, 4) // and it can be paired again
}

// brittle is a book whose disk is full.
type brittle struct{ Book }

var errDisk = errors.New("the disk is full")

func (brittle) Pair(hap.Pairing) error      { return errDisk }
func (brittle) Unpair(string) (bool, error) { return false, errDisk }
func (b brittle) Try() (int, error)         { return b.Tries() + 1, errDisk }

func TestWhatIsNotKeptIsNotPaired(t *testing.T) {
	r := newRig(t)
	good := r.desk
	r.desk = NewDesk(brittle{r.book}, Options{Now: func() time.Time { return r.now }, Changed: func() { r.changes++ }})
	p := newPhone(t, "p")
	r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), r.code()))
	refusedWith(t, r.desk.Setup(1, p.m5(p.private)), 6, unknown)
	if r.changes != 0 {
		t.Error("told as paired")
	}
	refusedWith(t, r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), "111-22-333")), 4, authentication)
	brittleDesk := r.desk
	r.desk = good
	p.pair(r, 2)
	reply, removed := brittleDesk.Pairings(Verified{Controller: "p"}, body(methodRemove, 1).String(itemIdentifier, "p").Out())
	refusedWith(t, reply, 2, unknown)
	if len(removed) != 0 {
		t.Errorf("removed %v", removed)
	}
}

// TestBrittleCount: a wrong code that cannot be counted on disk is counted all the same.
func TestBrittleCount(t *testing.T) {
	r := newRig(t)
	r.desk = NewDesk(brittle{r.book}, Options{Now: func() time.Time { return r.now }})
	p := newPhone(t, "p")
	for range 3 {
		refusedWith(t, r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), "111-22-333")), 4, authentication)
	}
	if r.desk.tries() != 3 {
		t.Errorf("%d tries are counted", r.desk.tries())
	}
}

func TestCodeOfTheOwner(t *testing.T) {
	r := newRig(t)
	if err := r.book.SetCode(setup.Code("518-08-582")); err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, "p")
	refusedWith(t, r.desk.Setup(1, p.m3(r.desk.Setup(1, m1()), "51808582")), 4, authentication) // the dashes belong to it
	p.pair(r, 1)
}

// TestBeginningsAreBounded: each costs a processor some milliseconds, and anybody may begin.
func TestBeginningsAreBounded(t *testing.T) {
	r := newRig(t)
	state := func(reply []byte) byte { // of the refusal, 0: there is none
		items, err := tlv.Parse(reply)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := items.Byte(itemError)
		return f
	}
	began := 0
	for range 3 * beginnings {
		if f := state(r.desk.Setup(1, m1())); f == 0 {
			began++
		} else if f != byte(busy) {
			t.Fatalf("refused with %d", f)
		}
	}
	if began != beginnings || began <= MaxTries {
		t.Errorf("%d beginnings at once", began)
	}
	r.now = r.now.Add(stepTime + allTime) // whoever it was gives up
	newPhone(t, "p").pair(r, 2)
}

// TestNamesAreOneLine: lists, logs and terminals show them.
func TestNamesAreOneLine(t *testing.T) {
	for name, may := range map[string]bool{
		"8A2D1F6C-0C6B-4B0E-9C2D-000000000001": true, "Jos\u00e9's phone": true, "": false, "a\nroot, admin": false,
		"\x1b[31mred": false, "\u202etxt": false, "\u200b": false, "\xff": false, strings.Repeat("x", maxName+1): false,
	} {
		if validName([]byte(name)) != may {
			t.Errorf("%q: %v", name, !may)
		}
	}
}
