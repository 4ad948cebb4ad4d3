// Package decode makes samples of a user's own chime: WAV, Ogg Vorbis or MP3. It
// bounds what it reads and what it makes, and whatever the bytes are it answers
// with a clip or an error, never with a panic. Read decode.go first.
package decode
