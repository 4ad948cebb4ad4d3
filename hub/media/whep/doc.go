// Package whep shows streams to browsers by WebRTC, as the WHEP draft has it: an offer is
// posted, the answer comes with the pictures from the ring's newest key frame on. It has
// one UDP and one TCP port on the addresses of chosen interfaces, sends packets that were
// made once for all viewers, and repeats lost ones from the same. It converts nothing
// itself and knows no users. Read server.go first, then session.go and sender.go.
package whep
