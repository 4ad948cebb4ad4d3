// Package launch is the step between the hub and a plugin: what may be started
// (Open: the file is looked at, hashed and held open, and that same descriptor is
// executed), under which policy, and the launcher's own main (Exec), which applies
// the policy to itself and then becomes the plugin. It never starts a plugin
// without its policy: a layer that fails is named and nothing runs. Read
// policy.go first, then exec_linux.go.
package launch
