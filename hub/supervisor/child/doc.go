// Package child starts one plugin process and shakes hands with it: what runs is
// found and looked at, its environment is written, its instance directory made, and
// go-plugin's client stands over our runner. Every way in which that fails has a
// reason (hub/supervisor/fault). It never starts a second time: that is
// hub/supervisor's. Read place.go first, then process.go.
package child
