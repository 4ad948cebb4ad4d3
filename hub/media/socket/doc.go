// Package socket is the hub's end of media.sock: one listener per plugin instance, in
// the instance's own directory. A connection is let in by a token that works once,
// within 10 s, for one plugin, camera, stream and direction. What a plugin does wrong
// on a connection ends that connection and nothing else. Read server.go first, then
// publish.go and read.go.
package socket
