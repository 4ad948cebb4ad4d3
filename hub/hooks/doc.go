// Package hooks keeps, for each camera that somebody asked for, the token with which
// anything rings it by one POST: a relay at the door, a script, a bare button. It
// promises one token a camera, of 2^192, and that a renewed one makes the old one
// worthless at once. A token lies in hub.db in clear, because its owner is shown it
// again and again; it opens nothing but a ring. Those of a camera that left the config
// are kept, so that the wall need not be opened when it comes back. It never rings by
// itself and never sees a request. Read hooks.go.
package hooks
