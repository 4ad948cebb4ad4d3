package web

import "io"

// Listeners reads a table in the form of /proc/net/tcp.
func Listeners(r io.Reader, port uint16) []string { return listeners(r, port) }

// ParentIn reads a line in the form of /proc/PID/stat.
func ParentIn(stat string) int { return parentIn(stat) }
