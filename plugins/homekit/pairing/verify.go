package pairing

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// Verified is who a connection belongs to from now on, and its keys.
type Verified struct {
	Controller string
	Admin      bool          // when it was verified; Pairings asks the book anew
	Secret     [keySize]byte // of X25519: a data stream derives its keys from it
	Read       [keySize]byte // the controller reads with it, the accessory writes
	Write      [keySize]byte // the controller writes with it, the accessory reads
}

// Verify is pair-verify on one connection. It is used by one goroutine at a time.
type Verify struct {
	desk *Desk
	met  *meeting // after M1
}

// meeting is what both sides of a connection said in M1 and M2.
type meeting struct {
	ours, theirs []byte
	secret, key  [keySize]byte
}

// NewVerify begins pair-verify on a connection.
func (d *Desk) NewVerify() *Verify { return &Verify{desk: d} }

// Handle takes one body of /pair-verify and gives the reply, always. done comes with the
// last reply, M4: what follows it is encrypted.
func (v *Verify) Handle(body []byte) (reply []byte, done *Verified) {
	items, err := tlv.Parse(body)
	if err != nil {
		v.met = nil
		return refuse(2, unknown), nil
	}
	state, follows := next(items)
	met := v.met
	v.met = nil // each step is taken once
	var f failure
	switch {
	case state == 1:
		reply, f = v.meet(items)
	case state == 3 && met != nil:
		done, f = v.finish(met, items)
		if f == 0 {
			var w tlv.Writer
			return w.Byte(itemState, 4).Out(), done
		}
	default:
		f = unknown
	}
	if f != 0 {
		v.desk.log.Debug("pair-verify was refused", "step", follows, "why", f.String())
		return refuse(follows, f), nil
	}
	return reply, nil
}

// meet answers M1, the controller's key, with ours and who we are.
func (v *Verify) meet(items tlv.Items) ([]byte, failure) {
	public, _ := items.Bytes(itemPublicKey)
	theirs, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, unknown
	}
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		v.desk.log.Error("pair-verify could not be begun", "err", err)
		return nil, unknown
	}
	secret, err := private.ECDH(theirs) // refuses points of low order
	if err != nil {
		return nil, unknown
	}
	m := &meeting{ours: private.PublicKey().Bytes(), theirs: slices.Clone(public)}
	copy(m.secret[:], secret)
	if m.key, err = derive(secret, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info"); err != nil {
		return nil, unknown
	}
	id := v.desk.book.Identity()
	signed := ed25519.Sign(id.Keys.Private, slices.Concat(m.ours, []byte(id.Device), m.theirs))
	var inner, outer tlv.Writer
	inner.String(itemIdentifier, id.Device).Bytes(itemSignature, signed)
	sealed, err := seal(m.key, "PV-Msg02", inner.Out())
	if err != nil {
		return nil, unknown
	}
	v.met = m
	return outer.Byte(itemState, 2).Bytes(itemPublicKey, m.ours).Bytes(itemEncrypted, sealed).Out(), 0
}

// finish reads M3: who the controller is, signed with the key that was kept of it.
func (v *Verify) finish(m *meeting, items tlv.Items) (*Verified, failure) {
	sealed, _ := items.Bytes(itemEncrypted)
	inner, err := open(m.key, "PV-Msg03", sealed)
	if errors.Is(err, errSealed) {
		return nil, authentication
	}
	if err != nil {
		return nil, unknown
	}
	name, _ := inner.Bytes(itemIdentifier)
	signature, _ := inner.Bytes(itemSignature)
	p, ok := v.desk.book.Pairing(string(name))
	if !ok || len(p.PublicKey) != ed25519.PublicKeySize {
		return nil, authentication
	}
	if !ed25519.Verify(p.PublicKey, slices.Concat(m.theirs, name, m.ours), signature) {
		return nil, authentication
	}
	done := &Verified{Controller: p.Name, Admin: p.Permission&hap.PermissionAdmin != 0, Secret: m.secret}
	if done.Read, err = derive(m.secret[:], "Control-Salt", "Control-Read-Encryption-Key"); err != nil {
		return nil, unknown
	}
	if done.Write, err = derive(m.secret[:], "Control-Salt", "Control-Write-Encryption-Key"); err != nil {
		return nil, unknown
	}
	return done, 0
}
