// Package units makes access units of RTP packets: pictures of H.264 (RFC 6184), H.265
// (RFC 7798) and JPEG (RFC 2435), sound of AAC (RFC 3640, RFC 6416), Opus, G.711 and L16.
// It takes packets as cameras really fill them, keeps to limits whatever comes, and never
// gives out a picture of which a part is missing. It knows no connection and no clock but
// the one of RTP. Read reader.go first, then nal.go.
package units
