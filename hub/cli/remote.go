package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// The environment of who asks a hub elsewhere. A token is no flag: every user of the
// machine reads the list of processes.
const (
	urlVariable   = "PORCHLIGHT_URL"
	tokenVariable = "PORCHLIGHT_TOKEN"
)

// dial reaches the hub that is meant: the one at an address, else that of this machine.
func (g *globals) dial(cmd *cobra.Command) (*client.Client, error) {
	if address := cmp.Or(g.url, os.Getenv(urlVariable)); address != "" {
		token := os.Getenv(tokenVariable)
		if token == "" {
			return nil, usageError{fmt.Errorf("a hub elsewhere wants a token: porchlight tokens new makes one there; put it into %s", tokenVariable)}
		}
		if client.InClear(address) {
			fmt.Fprintln(cmd.ErrOrStderr(), "porchlight: without https the token can be read on its way")
		}
		return client.Remote(cmd.Context(), address, token)
	}
	dir, err := g.findDataDir(cmd.Flags())
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(cmd.Context(), dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &notAllowed{dir, err}
	}
	return c, err
}
