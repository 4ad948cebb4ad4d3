// Package journal is the bus's file: events, the latest states, and how far each
// taker has come. It promises that what a Write returned for is in the file (synced,
// where asked), all of the group or nothing, and that rows come back in order of seq.
// It decides nothing: who waits, who is told and what is tried again is the bus's.
// Read journal.go first, then write.go; room.go keeps the file small.
package journal
