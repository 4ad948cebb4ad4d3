// Package sdp reads what cameras call a session description (RFC 8866, RFC 2326 appendix
// C). It mends the known breaks by named repairs, each of which changes the text and nothing
// else, and then has the strict parser of gortsplib read it; what still breaks one stream
// costs that stream alone. It never panics and never takes more than a few streams. Read
// read.go first; repair.go has one function a break.
package sdp
