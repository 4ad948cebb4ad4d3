// Package message turns the TLVs of a camera's streams into Go values and back: what is
// offered (characteristics 114, 115, 116), what a controller prepares (118), selects (117)
// and may know (120). It takes nothing that a stream could not be made of: every text is
// hostile, and what does not hold is an error, never a panic. It opens nothing and
// remembers nothing. Read parse.go first.
package message
