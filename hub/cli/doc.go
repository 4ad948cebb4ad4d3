// Package cli is the command line: one file a command, exit codes in exit.go. It
// presents and decides nothing; a running hub is reached by its admin socket. Read
// main.go first.
package cli
