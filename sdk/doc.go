// Package sdk is all that the author of a plugin needs, and the vocabulary of the
// whole house. A plugin is a type with two methods, Manifest and Run; it gains
// abilities by having more of the small interfaces of plugin.go (Camera, Chime,
// Bridge, Notifier, …), which sdk finds by itself. Its main is one line,
// sdk.Serve(New). The package promises that a publish is answered or sent again,
// that a handler sees each event once unless it died inside the handler, and that
// no panic of the author's code passes unnoticed; it never prints on stdout.
// Read plugin.go first, then hub.go.
package sdk
