// Package convert makes streams in other forms than they come in, each once for all who read
// it: sound in Go where that can be, AAC and pictures by an ffmpeg each. What fits as it is
// passes by as a copy, and nothing is started for it. An ffmpeg that dies, hangs or lies
// costs its own part of the stream and is started anew, a little later each time.
//
// The rooms in it: aac and film turn units into others by one ffmpeg, still makes JPEGs of
// key frames, child starts and confines what they run, fault is why something cannot be.
// Read renditions.go first, then conversion.go.
package convert
