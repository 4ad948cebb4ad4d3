// Package mse sends live pictures to browsers: fragmented MP4 over a WebSocket, for
// MediaSource, and the same bytes as one endless MP4 over HTTP. A stream is packed once
// for all who watch it, and only while somebody does; a viewer begins at once with the
// key frame that the ring holds. A slow viewer goes on at a newer key frame and delays
// nobody.
//
// All viewers of a stream share one line of time, which is that of the packing: it
// begins at 0 with the first viewer and has no gaps when the source restarts. A viewer
// that comes later is told its start, and sets timestampOffset or seeks.
//
// Read muxers.go first, then mux.go (units to fragments) and ws.go (the messages).
package mse
