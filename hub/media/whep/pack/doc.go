// Package pack makes RTP payloads of access units, once for all who send them: pictures
// of H.264 and H.265 cut to size, sound as it is. Payloads are shared and do not change.
// Read shelf.go first.
package pack
