// Package host is what a plugin may ask of the hub, and the only place where
// permissions are checked: every publish, every subscription and every call is
// held against the plugin's grant here. It stamps who published and is never
// told so by the plugin. It knows nothing of processes. Read host.go, then
// publish.go (the way in), session.go (the way out) and calls.go.
package host
