// Package config is the format of porchlight.yaml: its types, its defaults,
// and a reader that tells every mistake at once, each with its place, a
// suggestion and a code.
//
// It runs nothing, changes no file of the owner's, imports nothing else of the
// house, and never shows the value of a secret key or of a key it does not
// know. What belongs to a plugin (config, source, permissions) stays a Raw
// tree with positions, checked by the JSON schemas that the caller hands in.
//
// Read load.go first; problem.go is what an owner sees; plan.go says what an
// edit changes.
package config
