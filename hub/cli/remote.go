package cli

import (
	"cmp"
	"crypto/x509"
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
	caVariable    = "PORCHLIGHT_CA"
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
		roots, err := authorities(cmp.Or(g.ca, os.Getenv(caVariable)))
		if err != nil {
			return nil, err
		}
		return client.Remote(cmd.Context(), address, token, roots)
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

// authorities are those of a PEM file, and of this machine; without a file nil.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("--ca: %w", err)}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{fmt.Errorf("--ca: %s holds no certificate in PEM form", file)}
	}
	return pool, nil
}
