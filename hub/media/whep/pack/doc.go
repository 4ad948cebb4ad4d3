// Package pack makes RTP payloads of pictures of H.264 and H.265, once for all who send
// them. Payloads are shared and do not change. Read shelf.go first.
package pack
