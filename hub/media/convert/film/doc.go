// Package film makes H.264 of pictures of any codec, smaller or in order as it is asked, by
// one ffmpeg that runs for as long as somebody watches. Pictures go in as Matroska and
// come out as FLV, in both of which a picture is there with its last byte; each has the
// time of the one that it was made of. It never waits for ffmpeg for ever and decides
// nothing of when to begin anew. Read pipe.go first.
package film
