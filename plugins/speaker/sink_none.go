//go:build !cgo || !speaker

package main

import (
	"fmt"
	"io"
)

// buildLacks says why this build is silent.
func buildLacks() string {
	return "this porchlight-speaker was built without sound; build it with a C compiler and the ALSA headers (libasound2-dev): CGO_ENABLED=1 go build -tags speaker -o bin/porchlight-speaker ./plugins/speaker"
}

// runSink has nothing to play on.
func runSink(_ io.Reader, out io.Writer) int {
	fmt.Fprintln(out, "error "+buildLacks())
	return 1
}
