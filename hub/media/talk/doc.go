// Package talk is the desk at which people are let speak to a door: one at a time a
// camera, for as long as they speak, in the codec that the door takes. It promises that
// the second is told who speaks, that whatever ends a talk ends both its sides, and that
// the door is never more than half a second behind. It knows no network: a Sink carries
// the speech to the door, and reads it from the stream media.Talk. Read desk.go first,
// then session.go.
package talk
