// Package offer reads what a browser says of itself in SDP, and chooses the form in which
// it gets a stream. It opens nothing and remembers nothing. Read offer.go first, then
// choice.go; frag.go is about sessions that change.
package offer
