// Package client speaks to a running hub by its admin socket, as the command line
// does. It promises typed answers and typed errors: *api.Problem for what the hub
// refused, *NotRunning where no hub answers. It never starts a hub and never reads
// its files but run/admin.path. Read client.go first.
package client
