// Command peer is what the bench compares the house with: an embedded NATS server
// with a JetStream on file, and programs that do nothing but hand on: the floor (bare
// relays over a Unix socket and of RTSP, senders to viewers). As "part" it is a bell, a
// load or a taker on all of the first; as "watch" it is viewers of every way, of the house
// and of its peers alike, and as "cameras" what they all see. Everything listens on
// loopback or a Unix socket and ends when its standard input closes. Read main.go; for
// viewers watch.go.
package main
