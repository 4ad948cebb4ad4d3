// Package child runs a program that turns bytes into others, by two pipes, and is trusted
// with nothing else: of the hub's descriptors it has only those, of the environment
// nothing, it gains no rights, and it does not outlive the hub (all on Linux only). It knows
// nothing of what the bytes are. Read process.go first, then confine_linux.go.
package child
