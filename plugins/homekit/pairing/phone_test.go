package pairing

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"slices"
	"testing"
	"time"

	"github.com/brutella/hap"
	"github.com/tadglines/go-pkgs/crypto/srp"

	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// phone is the other side: one controller.
type phone struct {
	t       *testing.T
	name    string
	private ed25519.PrivateKey
	secret  []byte
	key     [keySize]byte
}

func newPhone(t *testing.T, name string) *phone {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &phone{t: t, name: name, private: private}
}

func (p *phone) public() []byte { return p.private.Public().(ed25519.PublicKey) }

func (p *phone) pairing(admin bool) hap.Pairing {
	out := hap.Pairing{Name: p.name, PublicKey: p.public()}
	if admin {
		out.Permission = hap.PermissionAdmin
	}
	return out
}

// rig is a desk over a real store, with a clock that is set by hand.
type rig struct {
	t       *testing.T
	dir     string
	book    *store.Accessory
	desk    *Desk
	now     time.Time
	changes int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), now: time.Unix(1, 0)}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	h, err := store.Open(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.book, err = h.Accessory("a"); err != nil {
		r.t.Fatal(err)
	}
	r.desk = NewDesk(r.book, Options{Now: func() time.Time { return r.now }, Changed: func() { r.changes++ }})
}

func (r *rig) code() string { return string(r.book.Identity().Code) }

func parse(t *testing.T, b []byte) tlv.Items {
	t.Helper()
	items, err := tlv.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// refusedWith wants a reply that is an error of this state.
func refusedWith(t *testing.T, reply []byte, state byte, f failure) {
	t.Helper()
	items := parse(t, reply)
	s, _ := items.Byte(itemState)
	e, _ := items.Byte(itemError)
	if s != state || failure(e) != f || len(items) != 2 {
		t.Errorf("the reply is % x, not state %d error %d", reply, state, f)
	}
}

func body(method, state byte) *tlv.Writer {
	var w tlv.Writer
	return w.Byte(itemMethod, method).Byte(itemState, state)
}

func m1() []byte { return body(methodSetup, 1).Out() }

// m3 answers M2 with a proof for a code.
func (p *phone) m3(m2 []byte, code string) []byte {
	p.t.Helper()
	items := parse(p.t, m2)
	salt, ok := items.Bytes(itemSalt)
	public, ok2 := items.Bytes(itemPublicKey)
	if !ok || !ok2 || len(salt) != 16 || len(public) != srpSize {
		p.t.Fatalf("M2 is % x", m2)
	}
	s, err := srp.NewSRP(srpGroup, sha512.New, keyed([]byte(srpUser)))
	if err != nil {
		p.t.Fatal(err)
	}
	c := s.NewClientSession([]byte(srpUser), []byte(code))
	if p.secret, err = c.ComputeKey(salt, public); err != nil {
		p.t.Fatal(err)
	}
	if p.key, err = derive(p.secret, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info"); err != nil {
		p.t.Fatal(err)
	}
	var w tlv.Writer
	return w.Byte(itemState, 3).Bytes(itemPublicKey, c.GetA()).Bytes(itemProof, c.ComputeAuthenticator()).Out()
}

// m5 introduces the controller; with is what it signs with.
func (p *phone) m5(with ed25519.PrivateKey) []byte {
	p.t.Helper()
	x, err := derive(p.secret, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if err != nil {
		p.t.Fatal(err)
	}
	var inner tlv.Writer
	inner.String(itemIdentifier, p.name).Bytes(itemPublicKey, p.public()).
		Bytes(itemSignature, ed25519.Sign(with, slices.Concat(x[:], []byte(p.name), p.public())))
	return p.sealed(5, "PS-Msg05", inner.Out())
}

func (p *phone) sealed(state byte, name string, plain []byte) []byte {
	p.t.Helper()
	b, err := seal(p.key, name, plain)
	if err != nil {
		p.t.Fatal(err)
	}
	var w tlv.Writer
	return w.Byte(itemState, state).Bytes(itemEncrypted, b).Out()
}

// pair goes through pair-setup and checks what the accessory says of itself.
func (p *phone) pair(r *rig, conn ConnID) {
	p.t.Helper()
	m4 := parse(p.t, r.desk.Setup(conn, p.m3(r.desk.Setup(conn, m1()), r.code())))
	if proof, ok := m4.Bytes(itemProof); !ok || len(proof) != srpProof {
		p.t.Fatalf("M4 is %v", m4)
	}
	m6 := parse(p.t, r.desk.Setup(conn, p.m5(p.private)))
	sealed, ok := m6.Bytes(itemEncrypted)
	if !ok {
		p.t.Fatalf("M6 is %v", m6)
	}
	inner, err := open(p.key, "PS-Msg06", sealed)
	if err != nil {
		p.t.Fatal(err)
	}
	device, _ := inner.Bytes(itemIdentifier)
	public, _ := inner.Bytes(itemPublicKey)
	signature, _ := inner.Bytes(itemSignature)
	x, err := derive(p.secret, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if err != nil {
		p.t.Fatal(err)
	}
	if string(device) != r.book.Identity().Device || !ed25519.Verify(public, slices.Concat(x[:], device, public), signature) {
		p.t.Fatal("the accessory did not show who it is")
	}
}

// meets is the first half of pair-verify.
type meets struct {
	private      *ecdh.PrivateKey
	ours, theirs []byte
	secret       []byte
	key          [keySize]byte
}

func (p *phone) meet(r *rig, v *Verify) meets {
	p.t.Helper()
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	m := meets{private: private, ours: private.PublicKey().Bytes()}
	var w tlv.Writer
	reply, done := v.Handle(w.Byte(itemState, 1).Bytes(itemPublicKey, m.ours).Out())
	if done != nil {
		p.t.Fatal("verified after M1")
	}
	items := parse(p.t, reply)
	m.theirs, _ = items.Bytes(itemPublicKey)
	public, err := ecdh.X25519().NewPublicKey(m.theirs)
	if err != nil {
		p.t.Fatalf("M2 is % x", reply)
	}
	if m.secret, err = private.ECDH(public); err != nil {
		p.t.Fatal(err)
	}
	if m.key, err = derive(m.secret, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info"); err != nil {
		p.t.Fatal(err)
	}
	sealed, _ := items.Bytes(itemEncrypted)
	inner, err := open(m.key, "PV-Msg02", sealed)
	if err != nil {
		p.t.Fatal(err)
	}
	device, _ := inner.Bytes(itemIdentifier)
	signature, _ := inner.Bytes(itemSignature)
	if !ed25519.Verify(r.book.Identity().Keys.Public, slices.Concat(m.theirs, device, m.ours), signature) {
		p.t.Fatal("the accessory did not show who it is")
	}
	return m
}

// m3 of pair-verify, signed with a key.
func (p *phone) finish(m meets, with ed25519.PrivateKey) []byte {
	p.t.Helper()
	var inner tlv.Writer
	inner.String(itemIdentifier, p.name).Bytes(itemSignature, ed25519.Sign(with, slices.Concat(m.ours, []byte(p.name), m.theirs)))
	q := phone{t: p.t, key: m.key}
	return q.sealed(3, "PV-Msg03", inner.Out())
}
