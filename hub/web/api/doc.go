// Package api is the house as JSON: routes under /api/v1, the stream of what
// happens (server-sent events), and the mount of pictures and sockets. It turns
// requests into calls of the rooms and their answers into shapes that stay the
// same when a room changes; it decides nothing about the house, keeps no state
// of it, and never shows a secret. Errors are problem+json with a code.
// Read shapes.go first (what goes over the wire), then rooms.go (what is asked
// of the rooms), then api.go (the routes).
package api
