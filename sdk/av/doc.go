// Package av holds access units, tracks and codecs, and both ends of the media
// socket over which they travel between a plugin and the hub: Dial, Publisher and
// Reader are the plugin's end, Accept and the frame readers and writers are what
// both ends are made of. It knows no network protocol of cameras, no gRPC and no
// store. Read unit.go first, then wire.go for the framing and hello.go for how a
// connection begins.
package av
