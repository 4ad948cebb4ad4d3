// Package homekit makes each doorbell and camera of the house an accessory of Apple
// Home: a server of its own with its own code, pairing and mDNS record, so that one
// slow camera makes no other wait. It promises that a ring is written to every
// listening controller at once, never twice, and that an accessory is the same one
// after a rename, a restart or a move. It reaches pictures, sound and talk through
// the sdk alone, starts no ffmpeg, keeps no recording, and talks to nobody outside
// the house. Read plugin.go, then house.go and door.go; server is how a controller
// is spoken to, camera what it is offered, rtpout how pictures reach it.
package homekit
