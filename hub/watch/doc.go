// Package watch tells when one of several files may have changed, however its owner saves it:
// written in place, replaced by a rename, removed and made again, or reached
// over a symbolic link that is turned to another file.
//
// It watches the file's folder and never reads the file; what a change means is
// for the taker to find out. Read files.go.
package watch
