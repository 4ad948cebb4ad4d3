// Package pull keeps the streams of cameras coming: when to connect, how long to wait
// after a failure, when to give up a connection that sends nothing of use. It has at most
// one connection a stream, tries a password that was refused once in 5 minutes, and lets
// a camera that misbehaves cost nobody but itself. It holds the last description of a
// camera, so that pictures go on while the plugin that gave it is away. How RTSP is
// spoken is none of its matters. Read puller.go first, then source.go.
package pull
