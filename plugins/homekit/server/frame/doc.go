// Package frame seals and opens the frames that an accessory and a controller speak in after
// pair-verify (HAP 6.5.2): a length of two bytes, which is also authenticated, at most 1024
// bytes of text, a tag of 16. It promises that a counter is never used twice and that nothing
// is handed on which did not authenticate; after the first error a Reader only repeats it.
// It owns no socket and starts nothing. Read frame.go.
package frame
