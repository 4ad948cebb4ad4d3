// Package http1 is HTTP/1.1 as controllers speak it: requests read whole and within limits
// from a stream that may change under them, replies as bytes. It promises that a stream can
// make it hold no more than one head and one body, and tells a request that is to be refused
// from a stream that has ended. It owns no socket and knows no path. Read stream.go.
package http1
