// Package rtsp pulls one stream of one camera over RTSP and hands its access units on. It
// promises that a camera can do no more than end its own pull: every reader of its bytes
// recovers, every buffer has a limit, and each end is a Fault that says what to mend. It
// never reconnects (hub/media/pull does), converts nothing and keeps no password. The
// conversation itself is in dialog, the repair of what cameras call SDP in sdp, RTP to
// access units in units. Read pull.go first.
package rtsp
