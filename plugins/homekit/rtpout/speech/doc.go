// Package speech takes the packets of Opus that a viewer says, puts them in order, and hands
// them to the door; the way there is opened by the first voice and given back after a
// silence. It decodes nothing, and keeps no more than a blink of it. Read talk.go first.
package speech
