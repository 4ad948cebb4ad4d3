// Package watch tells when files may have changed, however their owner saves them:
// written in place, replaced by a rename, removed and made again, or reached over a
// symbolic link that is turned to another file.
//
// It watches the folders and never reads a file; what a change means is for the taker
// to find out. Read files.go.
package watch
