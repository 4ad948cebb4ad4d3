// Package rtpout sends one viewer of Apple Home the picture and the sound of a camera as
// SRTP, and takes the viewer's speech. It promises that nothing is left of a session when
// Done is closed: no packet, port or goroutine. It chooses no stream, turns no codec into
// another, and says nothing to HomeKit: that is the caller's. Read session.go first, then
// feed.go for where units come from, timeline.go for their times, package line for how they
// leave, and package speech for what comes back.
package rtpout
