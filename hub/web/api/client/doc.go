// Package client speaks to a running hub by its admin socket, as the command line
// does, or to one elsewhere by its address with a token. It promises typed answers
// and typed errors: *api.Problem for what the hub refused, *NotRunning where no hub
// answers. It never starts a hub, never reads its files but run/admin.path, and never
// sends a token to another host. Read client.go first.
package client
