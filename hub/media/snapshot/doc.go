// Package snapshot gives the newest JPEG of a camera: of its snapshot URL, else what its
// plugin answers when asked, else a picture of a stream that is JPEGs already, else a key
// frame made into one (by hub/media/convert/still, handed in), else the last one there was, with
// its age; that one is on disk too and outlives a restart. Where none of the ways leads to
// a picture it says which fault to mend. It asks nobody more often than it must, never
// twice within five minutes where a login was refused, gives a stream of broken key frames
// a rest, and looks at each picture before it keeps it. Read store.go first, then ways.go
// and http.go.
package snapshot
