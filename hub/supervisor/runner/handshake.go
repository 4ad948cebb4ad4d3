package runner

import (
	"strconv"
	"strings"
)

// Handshake is what a plugin's first line says of versions.
type Handshake struct {
	Core int // of go-plugin's handshake itself
	App  int // of the protocol behind it
}

// ReadHandshake reads core|app|network|address|… as go-plugin's server prints it
// (go-plugin server.go, Serve). False: it is something else.
func ReadHandshake(head string) (Handshake, bool) {
	first, _, _ := strings.Cut(head, "\n")
	parts := strings.Split(strings.TrimSpace(first), "|")
	if len(parts) < 4 {
		return Handshake{}, false
	}
	core, err1 := strconv.Atoi(parts[0])
	app, err2 := strconv.Atoi(parts[1])
	return Handshake{core, app}, err1 == nil && err2 == nil
}
