// Package server is one accessory server of Apple Home: listener, connections, attribute
// database, events. It promises that a press is handed to every subscribed connection at
// once, never lost, never twice, never held up by an answer being worked out or by another
// peer, and that whatever a peer sends harms that peer's own connection at most. It knows
// neither cameras nor pairing's arithmetic, and keeps nothing on disk itself.
// Read server.go first, then connection.go; frames, HTTP, the queue towards a peer and the
// attribute database are in frame, http1, outbox and attribute.
package server
