// Package certs keeps the certificate that the hub's pages are served with: files of
// the owner's, or one of an authority that the hub makes for itself. It promises that
// the certificate in use is renewed or read again while the hub runs, that a bad file
// never takes the place of a good one, and that a private key is in files of mode 0600
// and nowhere else. It never replaces an authority that devices may trust already, and
// it opens no port.
// Read certs.go first, then authority.go.
package certs
