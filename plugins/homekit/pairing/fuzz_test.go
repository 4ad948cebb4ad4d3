package pairing

import (
	"testing"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// answered wants every reply to be readable and to have a state.
func answered(t *testing.T, reply []byte) {
	t.Helper()
	items, err := tlv.Parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := items.Byte(itemState); !ok {
		t.Fatalf("the reply % x has no state", reply)
	}
}

// paper is a book without a disk.
type paper struct {
	id       store.Identity
	pairings map[string]hap.Pairing
	n        int
}

func (b *paper) Identity() store.Identity { return b.id }
func (b *paper) Pairings() (out []hap.Pairing) {
	for _, p := range b.pairings {
		out = append(out, p)
	}
	return out
}
func (b *paper) Pairing(n string) (hap.Pairing, bool) { p, ok := b.pairings[n]; return p, ok }
func (b *paper) Pair(p hap.Pairing) error             { b.pairings[p.Name] = p; return nil }
func (b *paper) Unpair(n string) (bool, error)        { delete(b.pairings, n); return false, nil }
func (b *paper) Tries() int                           { return 0 }
func (b *paper) Try() (int, error)                    { b.n++; return b.n, nil }
func (b *paper) ClearTries() error                    { return nil }

func newPaper(t *testing.T) *paper {
	p := newPhone(t, "accessory")
	return &paper{pairings: map[string]hap.Pairing{}, id: store.Identity{Device: "AA:BB:CC:DD:EE:FF", SetupID: "PRCH",
		Code: setup.Code("518-08-582"), Keys: hap.KeyPair{Public: p.public(), Private: p.private}}}
}

func FuzzSetup(f *testing.F) {
	f.Add(m1(), []byte{itemState, 1, 3, itemPublicKey, 1, 5, itemProof, 1, 1}, []byte{itemState, 1, 5, itemEncrypted, 1, 1})
	f.Add([]byte{1}, []byte{0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		book := newPaper(t)
		d := NewDesk(book, Options{})
		for _, body := range [][]byte{a, b, c, a} {
			answered(t, d.Setup(1, body))
			answered(t, d.Setup(2, body))
		}
		if len(book.pairings) != 0 {
			t.Fatal("paired by chance")
		}
	})
}

// FuzzIntroduction seals what the fuzzer makes, so that it comes to what is inside.
func FuzzIntroduction(f *testing.F) {
	f.Add([]byte{itemIdentifier, 1, 65, itemPublicKey, 1, 1, itemSignature, 1, 1})
	f.Fuzz(func(t *testing.T, inner []byte) {
		book := newPaper(t)
		d := NewDesk(book, Options{})
		p := newPhone(t, "p")
		d.current = &course{conn: 1, deadline: d.now().Add(stepTime), proven: true, secret: []byte("secret"), key: p.key}
		answered(t, d.Setup(1, p.sealed(5, "PS-Msg05", inner)))
		if len(book.pairings) != 0 {
			t.Fatal("paired by chance")
		}
		v := d.NewVerify()
		v.met = &meeting{ours: make([]byte, 32), theirs: make([]byte, 32)}
		reply, done := v.Handle(p.sealed(3, "PV-Msg03", inner))
		answered(t, reply)
		if done != nil {
			t.Fatal("verified by chance")
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte{itemState, 1, 1, itemPublicKey, 2, 9, 9}, []byte{itemState, 1, 3, itemEncrypted, 1, 1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		v := NewDesk(newPaper(t), Options{}).NewVerify()
		for _, body := range [][]byte{a, b, a} {
			reply, done := v.Handle(body)
			answered(t, reply)
			if done != nil {
				t.Fatal("verified by chance")
			}
		}
	})
}

func FuzzPairings(f *testing.F) {
	f.Add(body(methodList, 1).Out())
	f.Add(body(methodAdd, 1).String(itemIdentifier, "x").Bytes(itemPublicKey, make([]byte, 32)).Byte(itemPermission, 1).Out())
	f.Add(body(methodRemove, 1).String(itemIdentifier, "p").Out())
	f.Fuzz(func(t *testing.T, b []byte) {
		book := newPaper(t)
		p := newPhone(t, "p")
		book.pairings["p"] = p.pairing(true)
		d := NewDesk(book, Options{})
		reply, _ := d.Pairings(Verified{Controller: "p"}, b)
		answered(t, reply)
		for name, p := range book.pairings {
			if len(name) == 0 || len(name) > 64 || len(p.PublicKey) != 32 || p.Permission > 1 {
				t.Fatalf("kept %+v", p)
			}
		}
		reply, removed := d.Pairings(Verified{Controller: "stranger", Admin: true}, b)
		answered(t, reply)
		if len(removed) > 0 {
			t.Fatal("a stranger removed somebody")
		}
	})
}
