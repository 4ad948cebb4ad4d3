// Package schema holds a tree against a JSON schema and tells every failure in
// an owner's words, at the key or value that it is about.
//
// It reads no file and follows no reference out of a schema: a plugin's schema
// is text from a stranger.
package schema
