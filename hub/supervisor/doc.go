// Package supervisor owns the plugin processes: it starts each through the
// launcher, speaks go-plugin's handshake with it, hands its two streams to the
// host, watches its health, and starts it again when it dies. Each configured
// entry has one instance with one goroutine that owns its state; nothing that a
// plugin does stops another or the hub. It decides no permission (hub/host does)
// and keeps no event (hub/bus does). Where the kernel allows a PID namespace, all that
// a plugin started ends with it and with the hub; elsewhere a grandchild outlives a
// SIGKILLed hub until the next start, which looks for it. Read supervisor.go first,
// then instance.go and life.go.
package supervisor
