package cli

import (
	"fmt"
	"os"

	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/plugins"
	"github.com/porchlight-hub/porchlight/sdk"
)

// pluginMain runs this binary as a plugin, or as the launcher of one. The hub
// calls it; people have no use for it.
func pluginMain(args []string) int {
	switch {
	case args[0] == "exec":
		return supervisor.Exec(args[1:])
	case args[0] == "run" && len(args) == 2:
		for _, e := range plugins.Bundled() {
			if e.Name == args[1] && e.New != nil {
				return sdk.Main(e.New)
			}
		}
		fmt.Fprintf(os.Stderr, "porchlight: no bundled plugin is called %q\n", args[1])
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "porchlight: plugin run NAME and plugin exec are for the hub itself; porchlight plugins ls shows the plugins")
	return exitUsage
}
