// Package controller is a HomeKit controller for tests: it pairs, verifies, reads,
// writes, hears presses, takes pictures and streams, and speaks. It shares no SRP, TLV8,
// cipher, HTTP or SRTP code with what it tests, never makes a mistake good, and never
// tries again by itself. Read controller.go, then conn.go and stream.go.
package controller
