// Package httpcam takes pictures and alarms from devices that speak HTTP: a JPEG that is
// fetched again and again, MJPEG as an endless answer, and the endless multipart answers
// in which cameras tell their events. It logs in by Basic or Digest (MD5, SHA-256), pins
// certificates, and survives the boundaries and lengths that cameras get wrong. Everything
// it keeps is bounded; it never sends a password to another host, never follows a
// redirect to one, and no error of it holds a password or a URL's query. It tries
// nothing twice by itself: when to try again is the caller's, by Fault.Kind.
// Read watch.go first, then parts.go.
package httpcam
