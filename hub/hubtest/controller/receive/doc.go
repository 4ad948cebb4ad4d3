// Package receive is one medium's socket at the test controller's end: what comes is
// opened, counted and put together, what goes is sealed. It asks for nothing by itself.
// Read receive.go, then picture.go.
package receive
