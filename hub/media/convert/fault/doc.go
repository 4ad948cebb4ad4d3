// Package fault says in people's words, with a code and a hint, why something could not be
// converted. It converts nothing.
package fault
