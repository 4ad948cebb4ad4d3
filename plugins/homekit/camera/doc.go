// Package camera is one camera or doorbell as Apple Home knows it: its services and what is
// written to them, its two viewers, its pictures and its privacy switch. It promises that a
// stream which ends, whatever the way, leaves nothing; that nothing of the camera reaches
// Home while the owner's switch is off; and that no message of a controller does more than be
// refused. It knows no socket: requests come from server, packets leave by rtpout, and what
// is shown comes from the hub. Read camera.go first, then stream.go; the words are in
// message, the choice of a stream in choose, pictures in picture.
package camera
