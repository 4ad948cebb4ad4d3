// Package announce tells the local network by multicast DNS where the accessories are
// (RFC 6762 and 6763, HAP 6.4), on the interfaces that are meant for it: it looks first
// whether a name is taken, answers who asks, tells changed addresses and texts anew and
// says goodbye. It can say whether its own records came back and who else uses a name or
// a device id. It asks nothing of the network that HomeKit does not need, answers only
// neighbours, and a flood of questions costs a bounded number of answers.
// Read announcer.go first, then service.go, answer.go and heard.go.
package announce
