package server

import "github.com/brutella/hap/characteristic"

// Press is one ring on its way to controllers.
type Press struct {
	C     *characteristic.C
	Value int // 0 single, 1 double, 2 long
	// Claim is asked in a connection's writer right before the bytes are written; false
	// means not here. Nil means always.
	Claim func(controller string) bool
	// Wrote is called once for each press that was claimed, after its bytes were handed to
	// the network or with the error why they were not.
	Wrote func(controller string, err error)
}
