// Package instance is the life of one plugin process in the protocol's words: the
// RPCs, the two streams, delivery in order and once, commands with deadline and
// idempotency key, the log, and the process around it (handshake, signals, lifeline,
// exit codes). It knows the author only as the functions of Author, which sdk fills;
// no panic of theirs gets past it. Read instance.go first.
package instance
