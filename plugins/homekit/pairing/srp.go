package pairing

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"

	"github.com/tadglines/go-pkgs/crypto/srp"
)

// SRP-6a with 3072 bits and SHA-512, for this user (HAP 5.5).
const (
	srpUser  = "Pair-Setup"
	srpGroup = "rfc5054.3072"
	srpSalt  = 16
	srpSize  = 3072 / 8
	srpProof = sha512.Size
)

// exchange is the accessory's side of one SRP exchange.
type exchange struct {
	salt, public []byte
	session      *srp.ServerSession
	prime        *big.Int
}

// newExchange begins one for a setup code. Salt and keys are new each time.
func newExchange(code string) (*exchange, error) { return newExchangeFor(srpUser, code) }

func newExchangeFor(user, password string) (*exchange, error) {
	s, err := srp.NewSRP(srpGroup, sha512.New, keyed([]byte(user)))
	if err != nil {
		return nil, fmt.Errorf("srp: begin: %w", err)
	}
	s.SaltLength = srpSalt
	salt, verifier, err := s.ComputeVerifier([]byte(password))
	if err != nil {
		return nil, fmt.Errorf("srp: begin: %w", err)
	}
	x := &exchange{salt: salt, prime: s.Group.Prime}
	// A public key whose first byte is zero is written by some with it and by some
	// without, and then the proofs differ: one is drawn that has none.
	for len(x.public) != srpSize {
		x.session = s.NewServerSession([]byte(user), salt, verifier)
		x.public = x.session.GetB()
	}
	return x, nil
}

// keyed is x = H(salt, H(user, ":", password)).
func keyed(user []byte) srp.KeyDerivationFunc {
	return func(salt, password []byte) []byte {
		inner := sha512.New()
		inner.Write(user)
		inner.Write([]byte(":"))
		inner.Write(password)
		outer := sha512.New()
		outer.Write(salt)
		outer.Write(inner.Sum(nil))
		return outer.Sum(nil)
	}
}

var errProof = errors.New("the proof is wrong")

// prove checks the controller's proof in constant time, and gives the shared secret and
// our own proof.
func (x *exchange) prove(public, proof []byte) (secret, ours []byte, err error) {
	if len(public) > srpSize || len(proof) != srpProof {
		return nil, nil, errProof
	}
	// A of 0, N and their like make the secret known to everybody.
	if a := new(big.Int).SetBytes(public); a.Sign() == 0 || a.Cmp(x.prime) >= 0 {
		return nil, nil, errProof
	}
	secret, err = x.session.ComputeKey(public)
	if err != nil || !x.session.VerifyClientAuthenticator(proof) {
		return nil, nil, errProof
	}
	return secret, x.session.ComputeAuthenticator(proof), nil
}
