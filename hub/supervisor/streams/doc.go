// Package streams carries the messages of one life of one plugin: two streams, each
// with a reader that the host paces and a writer with bounded queues, the commands
// that wait for an answer, and the hub calls of the plugin, at most 16 at once. It
// decides nothing about what it carries, and nobody but the plugin's own streams
// waits for the plugin. Read host.go first, then streams.go.
package streams
