package pairing

import (
	"crypto/hkdf"
	"crypto/sha512"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// The items of pairing messages (HAP table 5-6).
const (
	itemMethod     = 0
	itemIdentifier = 1
	itemSalt       = 2
	itemPublicKey  = 3
	itemProof      = 4
	itemEncrypted  = 5
	itemState      = 6
	itemError      = 7
	itemSignature  = 10
	itemPermission = 11
)

// The methods (HAP table 5-3).
const (
	methodSetup     = 0
	methodSetupAuth = 1 // asks for a licensed chip as well; a controller sees by TXT ff that there is none
	methodAdd       = 3
	methodRemove    = 4
	methodList      = 5
)

// failure is what a reply says when a step did not go well (HAP table 5-5).
type failure byte

const (
	unknown        failure = 1
	authentication failure = 2
	maxPeers       failure = 4
	maxTries       failure = 5
	unavailable    failure = 6
	busy           failure = 7
)

func (f failure) String() string {
	switch f {
	case authentication:
		return "authentication"
	case maxPeers:
		return "no room"
	case maxTries:
		return "too many tries"
	case unavailable:
		return "paired already"
	case busy:
		return "busy"
	}
	return "not understood"
}

// refuse is the reply to a step that did not go well.
func refuse(state byte, f failure) []byte {
	var w tlv.Writer
	return w.Byte(itemState, state).Byte(itemError, byte(f)).Out()
}

// next is the state of the reply to a message: the one that follows, and M2 when the
// message has none.
func next(items tlv.Items) (state, reply byte) {
	state, ok := items.Byte(itemState)
	if !ok || state == 0 || state > 5 {
		return 0, 2
	}
	return state, state + 1
}

// keySize is the size of all keys of HomeKit's ciphers.
const keySize = chacha20poly1305.KeySize

// derive is HKDF-SHA-512 to one key.
func derive(secret []byte, salt, info string) ([keySize]byte, error) {
	var key [keySize]byte
	b, err := hkdf.Key(sha512.New, secret, []byte(salt), info, keySize)
	copy(key[:], b)
	return key, err
}

// nonce: four zero bytes, then eight that name the message (HAP 5.9).
func nonce(name string) []byte { return append(make([]byte, 4, 12), name...) }

// seal encrypts the items of a message that carry who somebody is.
func seal(key [keySize]byte, name string, plain []byte) ([]byte, error) {
	c, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, err
	}
	return c.Seal(nil, nonce(name), plain, nil), nil
}

var errSealed = errors.New("the sealed part cannot be opened")

func open(key [keySize]byte, name string, sealed []byte) (tlv.Items, error) {
	c, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, err
	}
	plain, err := c.Open(nil, nonce(name), sealed, nil)
	if err != nil {
		return nil, errSealed
	}
	return tlv.Parse(plain)
}
