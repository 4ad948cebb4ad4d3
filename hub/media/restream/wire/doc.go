// Package wire cuts access units into RTP packets, each in the frame in which RTSP
// interleaves it on TCP (RFC 2326 10.12), one behind the other in one piece of memory, so
// that a reader costs one write a picture. It keeps no packet and knows no connection.
// Read packer.go first.
package wire
