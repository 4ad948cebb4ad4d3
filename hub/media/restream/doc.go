// Package restream serves the cameras by RTSP to other programs: /<camera>/<main|sub>, with
// a stream password by Digest and never without. It promises that a stream is cut into
// packets once for all its readers, that a new reader has the running GOP at once, and that
// a reader who is slow skips to a key frame, or is closed, and keeps nobody waiting. It
// converts nothing itself and keeps no password. Read server.go first, then methods.go and
// session.go; what is asked for is read in ask, packets are made in feed and wire, and
// leave by outlet.
package restream
