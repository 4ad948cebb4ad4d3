package web

import (
	"io"
	"net/http"
)

// Patterns lists the routes of the API, for the test that walks them.
func (s *Server) Patterns() []string { return s.api.Handler().Patterns() }

// API is what stands behind the guard.
func (s *Server) API() http.Handler { return s.api.Handler() }

// Listeners reads a table in the form of /proc/net/tcp.
func Listeners(r io.Reader, port uint16) []string { return listeners(r, port) }

// ParentIn reads a line in the form of /proc/PID/stat.
func ParentIn(stat string) int { return parentIn(stat) }
