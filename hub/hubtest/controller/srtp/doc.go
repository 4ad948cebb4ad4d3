// Package srtp is RTP, RTCP and their sealing (RFC 3550, RFC 3711 with AES-CM of 128
// bits and HMAC-SHA1-80) as the test controller needs them, of the standard library
// alone. Read seal.go, then packet.go.
package srtp
