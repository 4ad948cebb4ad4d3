// Package media keeps the newest seconds of every stream as a ring of immutable access
// units and lets any number of readers follow it. The writer never waits for a reader;
// a reader is a cursor, and one that falls behind goes on at a key frame and is told.
// The rings hold to their limits in time and bytes, each and all together. Another form of
// a stream is a ring of its own, which shares the bytes that are the same (derive.go); who
// makes it is none of this package, which knows no protocol and converts nothing. Read
// stream.go first, then reader.go.
package media
