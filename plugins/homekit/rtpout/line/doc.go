// Package line is one medium's UDP socket with one viewer: it numbers, encrypts and sends
// packets of RTP, many with one call of the kernel, writes the reports that go with them
// (RFC 3550), and opens what comes. It knows no codec, starts no goroutine, and sends
// nothing after Close. Read line.go first.
package line
