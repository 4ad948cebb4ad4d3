// Package outlet is how bytes leave for a reader: a TCP connection on which answers and
// packets take turns and nobody has to wait, and the two UDP sockets of a track. It knows
// nothing of RTSP but that a packet must not be torn. Read tcp.go first, then pair.go.
package outlet
