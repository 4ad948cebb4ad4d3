// Package frames takes packets of Opus apart and puts their frames together in others,
// without decoding them (RFC 6716 3). It never changes what a frame sounds like. Read
// packet.go first.
package frames
