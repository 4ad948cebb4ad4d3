package srp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"math/big"
)

// user is always this one.
const user = "Pair-Setup"

// size of the group, in bytes.
const size = 384

// prime of 3072 bits (RFC 5054, appendix A); its generator is 5.
const prime = "" +
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

const generator = 5

// ErrBadKey says that a public key is nothing.
var ErrBadKey = errors.New("srp: the other's public key is a multiple of the group")

// Client is one proof of a code.
type Client struct {
	A     []byte // our public key, 384 bytes
	Proof []byte // that we know the code
	Key   []byte // of the session
}

// Prove chooses a key and gives the proof that we know the code, for the other's salt
// and public key. Neither A nor the secret begins with a zero byte, unless A shall:
// about leading zeros implementations differ in what they hash.
func Prove(code string, salt, public []byte, zero bool) (*Client, error) {
	n, _ := new(big.Int).SetString(prime, 16)
	g, b := big.NewInt(generator), number(public)
	if len(public) > size || new(big.Int).Mod(b, n).Sign() == 0 {
		return nil, ErrBadKey
	}
	x := number(hash(salt, hash([]byte(user+":"+code))))
	k := number(hash(n.Bytes(), g.FillBytes(make([]byte, size))))
	base := new(big.Int).Exp(g, x, n) // B - k·g^x
	base.Mul(base, k).Sub(b, base).Mod(base, n)
	for {
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // it cannot fail
		a := number(secret[:])
		A := new(big.Int).Exp(g, a, n).FillBytes(make([]byte, size))
		if (A[0] == 0) != zero {
			continue
		}
		u := number(hash(A, b.FillBytes(make([]byte, size))))
		s := new(big.Int).Exp(base, u.Mul(u, x).Add(u, a), n).FillBytes(make([]byte, size))
		if s[0] == 0 {
			continue
		}
		c := &Client{A: A, Key: hash(s)}
		group := hash(n.Bytes())
		for i, v := range hash(g.Bytes()) {
			group[i] ^= v
		}
		c.Proof = hash(group, hash([]byte(user)), salt, strip(A), strip(public), c.Key)
		return c, nil
	}
}

// Check holds the other's proof against ours.
func (c *Client) Check(proof []byte) bool {
	return bytes.Equal(proof, hash(strip(c.A), c.Proof, c.Key))
}

// strip: in proofs numbers stand without leading zeros.
func strip(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }

func hash(parts ...[]byte) []byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
