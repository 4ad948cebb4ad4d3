// Package runner runs one plugin process under go-plugin: its runner.Runner starts
// the child through the launcher from one thread, sees its end by waiting on the
// process and never on a pipe, gives go-plugin exactly one line of stdout, and
// kills the whole process group. It believes no address that a plugin names. It
// knows neither configuration nor protocol messages. Read runner.go first, then
// starter.go (threads and death signals) and lines.go (what a plugin writes).
package runner
