package srp

import (
	"crypto/sha512"
	"math/big"
	"testing"

	other "github.com/tadglines/go-pkgs/crypto/srp"
)

func TestAgainstAnother(t *testing.T) {
	for round := range 4 {
		s, err := other.NewSRP("rfc5054.3072", sha512.New, func(salt, password []byte) []byte {
			return hash(salt, hash([]byte("Pair-Setup:"+string(password))))
		})
		if err != nil {
			t.Fatal(err)
		}
		salt, verifier, err := s.ComputeVerifier([]byte("101-48-005"))
		if err != nil {
			t.Fatal(err)
		}
		server := s.NewServerSession([]byte(user), salt, verifier)
		c, err := Prove("101-48-005", salt, server.GetB(), round == 3)
		if err != nil {
			t.Fatal(err)
		}
		key, err := server.ComputeKey(c.A)
		if err != nil || string(key) != string(c.Key) {
			t.Fatalf("the keys differ: %v", err)
		}
		if !server.VerifyClientAuthenticator(c.Proof) {
			t.Fatal("our proof is refused")
		}
		if !c.Check(server.ComputeAuthenticator(c.Proof)) || c.Check(c.Proof) {
			t.Fatal("the other's proof is taken for wrong, or any for right")
		}
		if wrong, err := Prove("101-48-006", salt, server.GetB(), false); err != nil || server.VerifyClientAuthenticator(wrong.Proof) {
			t.Fatal("a wrong code is proved")
		}
	}
}

func TestNothingIsNoKey(t *testing.T) {
	n, _ := new(big.Int).SetString(prime, 16)
	for _, b := range [][]byte{{}, {0}, n.Bytes()} {
		if _, err := Prove("101-48-005", nil, b, false); err == nil {
			t.Errorf("%d bytes are taken for a key", len(b))
		}
	}
}
