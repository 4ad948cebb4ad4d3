// Package still makes JPEGs of key frames of H.264 and H.265, by one ffmpeg for the whole
// hub that is kept running. A picture goes in by a pipe and comes out by another, in under
// 300 ms; what ffmpeg cannot take ends with an error and, where it must, with a new ffmpeg,
// never with a hub that hangs. Each picture is fenced in by marks of our own, so that no
// camera is ever answered with another's picture. Read stills.go first, then worker.go and
// mark.go.
package still
