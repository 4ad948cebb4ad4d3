package main

import (
	"fmt"
	"os"

	"github.com/porchlight-hub/porchlight/sdk"
)

// sinkArgument makes this program the sink of the plugin that started it.
const sinkArgument = "sink"

func main() {
	if len(os.Args) == 2 && os.Args[1] == sinkArgument {
		os.Exit(runSink(os.Stdin, os.Stdout))
	}
	if why := buildLacks(); why != "" {
		fmt.Fprintln(os.Stderr, why)
	}
	sdk.Serve(New)
}
