// Package av holds access units, tracks and codecs, and both ends of the media
// socket over which they travel between a plugin and the hub. It knows no
// network protocol of cameras, no gRPC and no store. Read unit.go first, then
// wire.go for the framing.
package av
