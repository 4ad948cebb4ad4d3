package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of one hash. RFC 9106 section 4 recommends 64 MiB and 3 passes where memory
// is short; a Raspberry Pi serves cameras beside, so this takes the smaller pair that
// OWASP's password storage guide gives as equally strong: 19 MiB and 2 passes.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16 // bytes
	argonKey    = 32 // bytes
	// hashesAtOnce bounds the memory that strangers at the login page can make us use.
	hashesAtOnce = 2
)

// Bounds of what people may choose (NIST SP 800-63B 3.1.1.2: at least 8, at least 64
// accepted, no rules about kinds of characters).
const (
	passwordMin = 8    // characters
	passwordMax = 1024 // bytes
)

func checkPassword(p string) error {
	switch {
	case utf8.RuneCountInString(p) < passwordMin, len(p) > passwordMax, !utf8.ValidString(p):
		return ErrWeak
	case strings.Count(p, p[:1]) == len(p):
		return ErrWeak
	}
	return nil
}

// hashPassword gives the hash in the usual text form, its parameters included.
func hashPassword(password string) string {
	salt := random(argonSalt)
	return hashText(salt, argon2.IDKey(normal(password), salt, argonPasses, argonMemory, argonLanes, argonKey))
}

// decoyHash looks like a hash, costs as much to compare with, and is nobody's.
func decoyHash() string { return hashText(random(argonSalt), random(argonKey)) }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func hashText(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// samePassword compares in constant time. A hash that it cannot read, or whose cost
// is beyond reason, is nobody's.
func samePassword(hash, password string) bool {
	var version int
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > passwordMax {
		return false
	}
	if n, err := fmt.Sscanf(parts[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); n != 3 || err != nil {
		return false
	}
	if memory < 8 || memory > 1<<20 || passes < 1 || passes > 16 || lanes < 1 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 128 {
		return false
	}
	got := argon2.IDKey(normal(password), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// normal makes the same letters the same bytes, whichever keyboard typed them.
func normal(password string) []byte { return norm.NFKC.Bytes([]byte(password)) }

func (a *Access) hash(ctx context.Context, password string) (string, error) {
	release, err := a.hashTurn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return hashPassword(password), nil
}

func (a *Access) verify(ctx context.Context, hash, password string) (bool, error) {
	release, err := a.hashTurn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	return samePassword(hash, password), nil
}

func (a *Access) hashTurn(ctx context.Context) (release func(), err error) {
	select {
	case a.hashing <- struct{}{}:
		return func() { <-a.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
