// Package sound turns sound of one codec into another in plain Go: G.711, L16 and Opus
// both ways, any number of channels mixed to one, any usual rate to any other. What comes
// out is free of gaps as long as what goes in is one line of time. It starts no process
// and no goroutine, knows no AAC, and a packet that is not what it says costs that packet
// and nothing else. Read transcoder.go first, then decoder.go and encoder.go, which are
// its halves.
package sound
