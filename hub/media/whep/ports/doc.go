// Package ports has the UDP and TCP sockets of WebRTC: one of each on every address of the
// chosen interfaces, all with one number. It follows addresses that come and go, and asks
// no server on the internet anything. Read ports.go first, then addresses.go.
package ports
