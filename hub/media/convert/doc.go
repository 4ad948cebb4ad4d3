// Package convert makes JPEGs of key frames of H.264 and H.265, by one ffmpeg for the whole
// hub that is kept running: it is the only place that starts one. A picture goes in by a
// pipe and comes out by another, in under 300 ms; what ffmpeg cannot take ends with an
// error and, where it must, with a new ffmpeg, never with a hub that hangs. Each picture is
// fenced in by marks of our own, so that no camera is ever answered with another's picture.
// Of the hub's descriptors ffmpeg has only its pipes, of its environment nothing, and it
// gains no rights; it runs as the hub's user, and does not outlive the hub (all on Linux
// only). Read stills.go first, then worker.go and mark.go.
package convert
