// Package ledger remembers which ring was written to which listener, so that a ring
// is neither lost nor told twice when the plugin dies in between. A note is on the
// file before the ring is on the wire: a process that is killed between the two
// loses that one ring for that one listener, and never repeats one. It knows no
// protocol; a listener is a key of its caller's (the controller and its address,
// since the phones of one person share a pairing). Notes are written, not synced:
// they survive the process, and a power cut takes longer than a ring is worth.
// Read ledger.go.
package ledger
