// Package feed is a stream as packets, made once for all who read it: one reader of the
// ring, and cursors that begin at the newest key frame, follow, and skip to a key frame when
// they are late. It never waits for a cursor, and knows no connection. Read feed.go first,
// then cursor.go.
package feed
