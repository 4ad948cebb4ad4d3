// Package netns gives tests machines of their own on a network of their own: Main puts
// the whole test process into a fresh network namespace (the house), NewHost makes
// another one (a phone, a laptop), and Join lays a cable between two, with IPv4 and
// IPv6, that can lose packets, be pulled or have its address replaced. Nothing outside
// the namespaces is touched, no root is needed where the kernel lets a user have
// namespaces, and all of it is gone with its test. Linux only. Read main.go first.
package netns
