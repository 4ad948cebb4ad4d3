package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pluggedIn names the cards and sound servers that can be seen, without touching
// them; it changes when one comes, goes or is started anew. Empty: there is none.
func pluggedIn() string {
	var seen []string
	cards, _ := filepath.Glob("/dev/snd/pcm*p") // the pattern is good
	seen = append(seen, cards...)
	server := os.Getenv("PULSE_SERVER")
	if server != "" && !strings.HasPrefix(server, "unix:") && !strings.HasPrefix(server, "/") {
		seen = append(seen, server) // over the network: it cannot be looked at
	}
	seen = append(seen, seenSockets(sockets(server, os.Getenv("XDG_RUNTIME_DIR"))...)...)
	return strings.Join(seen, "\n")
}

// seenSockets names those that are there, each with its age: a server that was
// started anew has made a new one.
func seenSockets(paths ...string) (seen []string) {
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil {
			seen = append(seen, fmt.Sprint(p, " ", st.ModTime().UnixNano()))
		}
	}
	return seen
}

func sockets(server, runtime string) []string {
	out := []string{"/run/pulse/native"} // of a server for the whole system
	if s := strings.TrimPrefix(server, "unix:"); filepath.IsAbs(s) {
		out = append(out, s)
	}
	if runtime != "" {
		out = append(out, filepath.Join(runtime, "pulse", "native"), filepath.Join(runtime, "pipewire-0"))
	}
	return out
}
