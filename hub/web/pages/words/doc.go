// Package words says for people how things stand: a camera's source in a tone and
// its figures, what a plugin may do in sentences, times and sizes as one speaks of
// them. What is not known is said so, never as well. It reads shapes and gives text;
// it looks nothing up and keeps nothing. Read camera.go first, then text.go.
package words
