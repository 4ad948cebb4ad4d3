package controller

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/seal"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srp"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/tlv"
)

// Types of TLV items in pairing messages (HAP 5.14, table 5-6).
const (
	typeMethod      = 0
	typeIdentifier  = 1
	typeSalt        = 2
	typePublicKey   = 3
	typeProof       = 4
	typeSealed      = 5
	typeState       = 6
	typeError       = 7
	typeSignature   = 10
	typePermissions = 11
)

// Errors by number (HAP 5.14, table 5-5).
const (
	RefusedUnknown        = 1
	RefusedAuthentication = 2
	RefusedMaxPeers       = 4
	RefusedMaxTries       = 5
	RefusedUnavailable    = 6
	RefusedBusy           = 7
)

// Refusal is an answer of an accessory that says no.
type Refusal struct {
	HTTP  int
	State byte // of the message that said it
	Code  byte // one of the Refused
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("accessory: refused in state %d with error %d (HTTP %d)", r.State, r.Code, r.HTTP)
}

// Refused is the number of the refusal in err; 0: it is none.
func Refused(err error) byte {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return 0
}

// ErrForged says that the accessory did not prove who it is.
var ErrForged = errors.New("controller: the accessory's proof is wrong")

// exchange sends TLV items and wants those of the next state.
func (x *Conn) exchange(ctx context.Context, path string, items ...tlv.Item) (tlv.Items, error) {
	a, err := x.Ask(ctx, "POST", path, TLV8, tlv.Items(items).Bytes())
	if err != nil {
		return nil, err
	}
	t, err := tlv.Parse(a.Body)
	if err != nil {
		return nil, fmt.Errorf("controller: %s: HTTP %d: %w", path, a.Status, err)
	}
	if t.Has(typeError) {
		return nil, &Refusal{HTTP: a.Status, State: byte(t.Uint(typeState)), Code: byte(t.Uint(typeError))}
	}
	want := byte(tlv.Items(items).Uint(typeState)) + 1
	if a.Status != 200 || a.Header["content-type"] != TLV8 || byte(t.Uint(typeState)) != want {
		return nil, fmt.Errorf("controller: %s: HTTP %d of %q, state %d, want %d", path, a.Status, a.Header["content-type"], t.Uint(typeState), want)
	}
	return t, nil
}

// derive is HKDF with SHA-512 as HAP names its salts and infos.
func derive(secret []byte, salt, info string) [32]byte {
	key, err := hkdf.Key(sha512.New, secret, []byte(salt), info, 32)
	if err != nil {
		panic("controller: hkdf: " + err.Error()) // 32 bytes are never too many
	}
	return [32]byte(key)
}

// Challenge is what the accessory asks in pair-setup.
type Challenge struct{ Salt, Key []byte }

// Challenge begins pair-setup (M1, M2).
func (x *Conn) Challenge(ctx context.Context) (Challenge, error) {
	t, err := x.exchange(ctx, "/pair-setup", tlv.U8(typeState, 1), tlv.U8(typeMethod, 0))
	return Challenge{t.Get(typeSalt), t.Get(typePublicKey)}, err
}

// Prove tells that it knows the code, and wants to hear the same (M3, M4). The key of
// both is what it gives.
func (x *Conn) Prove(ctx context.Context, c Challenge, code string) ([]byte, error) {
	return x.prove(ctx, c, code, false)
}

func (x *Conn) prove(ctx context.Context, c Challenge, code string, zero bool) ([]byte, error) {
	p, err := srp.Prove(code, c.Salt, c.Key, zero)
	if err != nil {
		return nil, err
	}
	t, err := x.exchange(ctx, "/pair-setup", tlv.U8(typeState, 3), tlv.Raw(typePublicKey, p.A), tlv.Raw(typeProof, p.Proof))
	if err != nil {
		return nil, err
	}
	if !p.Check(t.Get(typeProof)) {
		return nil, ErrForged
	}
	return p.Key, nil
}

// Introduce exchanges long-term keys (M5, M6).
func (x *Conn) Introduce(ctx context.Context, secret []byte) (Accessory, error) {
	c := x.Controller
	sealing := derive(secret, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
	own := derive(secret, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	signed := slices.Concat(own[:], []byte(c.Name), c.public)
	inner := tlv.Items{tlv.Text(typeIdentifier, c.Name), tlv.Raw(typePublicKey, c.public), tlv.Raw(typeSignature, ed25519.Sign(c.key, signed))}
	t, err := x.exchange(ctx, "/pair-setup", tlv.U8(typeState, 5), tlv.Raw(typeSealed, seal.Seal(sealing, seal.Word("PS-Msg05"), inner.Bytes(), nil)))
	if err != nil {
		return Accessory{}, err
	}
	plain, err := seal.Open(sealing, seal.Word("PS-Msg06"), t.Get(typeSealed), nil)
	if err != nil {
		return Accessory{}, err
	}
	if inner, err = tlv.Parse(plain); err != nil {
		return Accessory{}, err
	}
	a := Accessory{ID: string(inner.Get(typeIdentifier)), Key: inner.Get(typePublicKey)}
	other := derive(secret, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if len(a.Key) != ed25519.PublicKeySize || !ed25519.Verify(a.Key, slices.Concat(other[:], []byte(a.ID), a.Key), inner.Get(typeSignature)) {
		return Accessory{}, ErrForged
	}
	c.Know(a)
	return a, nil
}

// Pair goes through pair-setup.
func (x *Conn) Pair(ctx context.Context, code string) (Accessory, error) {
	return x.pair(ctx, code, false)
}

// PairZero is Pair with a public key that begins with zeros.
func (x *Conn) PairZero(ctx context.Context, code string) (Accessory, error) {
	return x.pair(ctx, code, true)
}

func (x *Conn) pair(ctx context.Context, code string, zero bool) (Accessory, error) {
	challenge, err := x.Challenge(ctx)
	if err != nil {
		return Accessory{}, err
	}
	secret, err := x.prove(ctx, challenge, code, zero)
	if err != nil {
		return Accessory{}, err
	}
	return x.Introduce(ctx, secret)
}

// Verify goes through pair-verify; the connection is sealed after it.
func (x *Conn) Verify(ctx context.Context) error {
	c := x.Controller
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	own := key.PublicKey().Bytes()
	t, err := x.exchange(ctx, "/pair-verify", tlv.U8(typeState, 1), tlv.Raw(typePublicKey, own))
	if err != nil {
		return err
	}
	theirs, err := ecdh.X25519().NewPublicKey(t.Get(typePublicKey))
	if err != nil {
		return err
	}
	secret, err := key.ECDH(theirs)
	if err != nil {
		return err
	}
	sealing := derive(secret, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	plain, err := seal.Open(sealing, seal.Word("PV-Msg02"), t.Get(typeSealed), nil)
	if err != nil {
		return err
	}
	inner, err := tlv.Parse(plain)
	if err != nil {
		return err
	}
	id := string(inner.Get(typeIdentifier))
	if a, ok := c.Knows(id); ok {
		x.Accessory = a
		if !ed25519.Verify(a.Key, slices.Concat(theirs.Bytes(), []byte(id), own), inner.Get(typeSignature)) {
			return ErrForged
		}
	} // whom it does not know it asks all the same, and is refused
	signature := ed25519.Sign(c.key, slices.Concat(own, []byte(c.Name), theirs.Bytes()))
	inner = tlv.Items{tlv.Text(typeIdentifier, c.Name), tlv.Raw(typeSignature, signature)}
	if _, err := x.exchange(ctx, "/pair-verify", tlv.U8(typeState, 3), tlv.Raw(typeSealed, seal.Seal(sealing, seal.Word("PV-Msg03"), inner.Bytes(), nil))); err != nil {
		return err
	}
	if x.Accessory.ID == "" {
		return fmt.Errorf("controller: %s took it, whom it does not know: %w", id, ErrForged)
	}
	x.Secret = [32]byte(secret)
	x.seal(derive(secret, "Control-Salt", "Control-Read-Encryption-Key"), derive(secret, "Control-Salt", "Control-Write-Encryption-Key"))
	return nil
}

// Pairing is one line of an accessory's list.
type Pairing struct {
	Name  string
	Key   ed25519.PublicKey
	Admin bool
}

// Methods of /pairings (HAP 5.14, table 5-4).
const (
	methodAdd    = 3
	methodRemove = 4
	methodList   = 5
)

// Pairings lists who is paired (HAP 5.12).
func (x *Conn) Pairings(ctx context.Context) (list []Pairing, err error) {
	t, err := x.exchange(ctx, "/pairings", tlv.U8(typeState, 1), tlv.U8(typeMethod, methodList))
	if err != nil {
		return nil, err
	}
	for _, item := range t {
		switch item.Type {
		case typeIdentifier:
			list = append(list, Pairing{Name: string(item.Value)})
		case typePublicKey:
			list[len(list)-1].Key = item.Value
		case typePermissions:
			list[len(list)-1].Admin = len(item.Value) == 1 && item.Value[0] == 1
		}
	}
	return list, nil
}

// AddPairing lets another controller in (HAP 5.10).
func (x *Conn) AddPairing(ctx context.Context, p Pairing) error {
	permissions := byte(0)
	if p.Admin {
		permissions = 1
	}
	_, err := x.exchange(ctx, "/pairings", tlv.U8(typeState, 1), tlv.U8(typeMethod, methodAdd),
		tlv.Text(typeIdentifier, p.Name), tlv.Raw(typePublicKey, p.Key), tlv.U8(typePermissions, permissions))
	return err
}

// RemovePairing puts a controller out (HAP 5.11).
func (x *Conn) RemovePairing(ctx context.Context, name string) error {
	_, err := x.exchange(ctx, "/pairings", tlv.U8(typeState, 1), tlv.U8(typeMethod, methodRemove), tlv.Text(typeIdentifier, name))
	return err
}
