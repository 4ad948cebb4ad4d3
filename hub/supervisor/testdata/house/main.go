// The program behind the tests of hub/supervisor: a launcher, plugins good and bad,
// and a small hub. Children are always a real binary, since a test binary with
// -race cannot be the launcher.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/porchlight-hub/porchlight/hub/supervisor"
)

func main() {
	args := os.Args[1:]
	switch {
	case len(args) >= 2 && args[0] == "plugin" && args[1] == "exec":
		os.Exit(supervisor.Exec(args[2:]))
	case len(args) == 3 && args[0] == "plugin" && args[1] == "run":
		plugin(args[2])
	case len(args) == 2 && args[0] == "hub":
		hub(args[1])
		return
	case len(args) == 1 && args[0] == "sleep":
		block()
	case len(args) == 1 && args[0] == "swell":
		b := swell()
		block()
		_ = b[0]
	default:
		// As a path: plugin it has no arguments; its file's name is the mode.
		plugin(filepath.Base(os.Args[0]))
	}
	fmt.Fprintln(os.Stderr, "the end of main was reached")
}
