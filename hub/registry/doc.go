// Package registry knows the devices of the house and how each is now: which
// cameras there are, which plugin speaks for them, whether they answer. It
// publishes a camera's going and coming as state events and never opens a
// connection itself. A Describer keeps what each device is by the word of its plugin,
// and Notes what was learned of a device over restarts. Read registry.go.
package registry
