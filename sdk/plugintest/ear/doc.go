// Package ear hears what a chime really sounds: a PulseAudio of the test's own, whose
// only loudspeaker is recorded, and the measures for what was recorded. It never
// touches the machine's own sound server or cards. Read server.go first.
package ear
