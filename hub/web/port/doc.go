// Package port makes one listening port answer with TLS and without: a browser that was
// given the address with http:// in front is told, not cut off. It promises that who
// connects and says nothing keeps nobody else out for long, and that at the end no
// connection is left. It never reads more than the first byte.
// There is one file, split.go.
package port
