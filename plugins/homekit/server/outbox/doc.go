// Package outbox is the one way out to one peer: a queue and the goroutine that empties it,
// which alone writes to the socket and owns the count of sealed frames. It promises that
// nobody who puts something in waits for the peer, that messages never mix, that a press is
// written ahead of all that waits and is never merged nor dropped while the connection
// lives, and that a peer which takes nothing for five seconds ends its own connection only.
// It never reads. Read outbox.go, then queue.go.
package outbox
