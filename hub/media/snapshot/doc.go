// Package snapshot gives the newest JPEG of a camera: what the camera pushed, else what
// its plugin answers when asked, else a picture of a stream that is JPEGs already, else the
// last one there was, with its age. It makes no JPEG of H.264; that takes a decoder, and
// where none of the ways leads to a picture it says so (E-SNAP-NO-DECODER). Each picture
// is looked at before it is kept. Read store.go first, then http.go.
package snapshot
