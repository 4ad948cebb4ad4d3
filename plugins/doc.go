// Package plugins is the list of what ships with the hub (bundled.go), and nothing
// else: it starts nothing, and importing it does nothing. Each plugin is a folder
// beside it that knows only sdk; to write one, copy demo.
package plugins
