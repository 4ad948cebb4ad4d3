package web

import "net/http"

// Patterns lists the routes of the API, for the test that walks them.
func (s *Server) Patterns() []string { return s.api.Handler().Patterns() }

// API is what stands behind the guard.
func (s *Server) API() http.Handler { return s.api.Handler() }
