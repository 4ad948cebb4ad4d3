// Package seal is ChaCha20-Poly1305 (RFC 8439), written for the test controller so
// that it shares no cipher with what it tests. It is neither fast nor constant in
// time and must stay in tests. Read seal.go.
package seal
