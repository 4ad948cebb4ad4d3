// Package badcam is an RTSP camera for tests that behaves well by default and badly by
// request: each answer can be changed before it is sent, and what is played is a function
// of the test's. It listens on loopback only and ends with Close. It is no server to build
// on. Read camera.go first.
package badcam
