// Package pairing is how a controller becomes known to an accessory (pair-setup, HAP
// 5.6), shows that it is the one that is known (pair-verify, HAP 5.7) and manages who
// else is (HAP 5.10 to 5.12): state machines from one body to the next, without sockets.
// A wrong proof is counted, a step out of order ends what was begun, whatever comes in
// is answered and never panics. Secrets are compared in constant time and never told.
// Read desk.go first, then verify.go and list.go.
package pairing
