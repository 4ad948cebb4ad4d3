// Package dialog holds the conversation with one RTSP server (RFC 2326): requests and
// answers, login, interleaved frames and UDP pairs. It reads in the caller's goroutine, so
// that whoever owns a camera also catches what its bytes may break, and takes answers as
// real cameras give them; its buffers have limits. It decides nothing about what to ask
// next and knows no codec. Read conn.go first.
//
// It stands beside the client of gortsplib, not on it: that one reads UDP into 1,472 bytes
// while cameras send up to 10 kB, gives up at a nonce that has aged, and reads hostile bytes
// in goroutines of its own, which nobody can recover. Its descriptions, formats and decoders
// are what the rooms beside this one use.
package dialog
