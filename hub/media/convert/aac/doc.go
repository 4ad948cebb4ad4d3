// Package aac turns AAC into samples and samples into AAC, by one ffmpeg that runs for as
// long as somebody listens: nothing in Go does it well. What comes out has the times of
// what went in, whatever ffmpeg loses on the way. It never waits for ffmpeg for ever and
// decides nothing of when to begin anew. Read pipe.go first.
package aac
