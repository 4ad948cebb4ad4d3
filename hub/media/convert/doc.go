// Package convert is the only place that starts an ffmpeg. It makes JPEGs of key frames, by
// one ffmpeg for the whole hub that is kept running (stills.go, worker.go, mark.go), and
// streams in other forms than they come in, each once for all who read it (renditions.go,
// conversion.go): sound in Go where that can be, AAC and pictures by an ffmpeg each.
//
// A picture goes in by a pipe and comes out by another; what ffmpeg cannot take ends with an
// error and, where it must, with a new ffmpeg, never with a hub that hangs. Of the hub's
// descriptors it has only its pipes, of its environment nothing, and it gains no rights; it
// runs as the hub's user, and does not outlive the hub (all on Linux only). What fits as it
// is passes by as a copy: nothing is started for it. Read renditions.go first.
package convert
