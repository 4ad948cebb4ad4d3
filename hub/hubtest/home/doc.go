// Package home proves the plugin homekit: controllers on another machine's network use
// the doorbells of a whole real hub, while rings ring, processes are killed, cables
// break and a hostile neighbour does what it can. It has tests alone; controllers are
// hub/hubtest/controller's, and one of another's making (testdata/peer). Read
// home_test.go.
package home
