// Package doctor holds what Porchlight tells about its own troubles: one text
// for each error code. It changes nothing and mends nothing.
//
// Read explain.go first; each area of the house has a file of texts.
package doctor
