// Command peer is what the bench compares the house with: an embedded NATS server
// with a JetStream on file, and bare relays over a Unix socket (raw frames, gRPC)
// that do nothing but hand on: the floor. As "part" it is a bell, a load or a taker
// on all of them. Everything listens on loopback or a Unix socket and ends when its
// standard input closes. Read main.go.
package main
