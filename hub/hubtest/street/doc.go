// Package street holds the proofs of what only another machine sees: a phone's browser
// in a network namespace of its own watches, hears and talks by HTTPS and WebRTC over
// a network that loses, changes and breaks, while programs of others read the same
// cameras by RTSP. It has no code of the product. One hub, one foreign camera and one
// browser serve all parts, which follow one another as a day does. Read street_test.go
// first, then live_test.go.
package street
