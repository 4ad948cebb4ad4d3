// Package store opens the hub's SQLite files (hub.db and, for the bus, journal.db)
// and brings their schema up to date, room by room. It promises that a file written
// by a newer Porchlight is refused without one byte of it being changed, and that a
// damaged one is named as such. It holds no queries: each room brings its own.
// Read store.go first.
package store
