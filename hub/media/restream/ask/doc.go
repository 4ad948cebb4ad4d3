// Package ask reads what an RTSP request asks for: which stream in which form, and by which
// way. Whatever stands in it, the answer is one of ours or none. Read address.go first.
package ask
