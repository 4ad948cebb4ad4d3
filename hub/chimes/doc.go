// Package chimes decides which chimes sound for a ring and asks them: plugin
// chimes by a command, the browser by a message to the open pages. It keeps mutes
// and the quiet hour in hub.db, and tells the bus what every chime did. It never
// sounds anything for a replay or for a ring older than its age limit. Read
// chimes.go, then browser.go.
package chimes
