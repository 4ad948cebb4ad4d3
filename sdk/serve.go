package sdk

import (
	"context"
	"io"
	"net"
	"os"

	"github.com/porchlight-hub/porchlight/sdk/internal/instance"
)

// Serve is an author's whole main: it runs the plugin until the hub stops it, and
// ends the process.
func Serve(newPlugin func() Plugin) { os.Exit(Main(newPlugin)) }

// Main does the same for a program that is more than a plugin, and returns the
// exit code. newPlugin is called once, after the handshake.
func Main(newPlugin func() Plugin) int { return instance.Main(dresser(newPlugin)) }

// ServeConn serves the protocol over one connection within the caller's process,
// until ctx ends, the other end closes it or the plugin ends; it returns the exit
// code that the process would have had. Tests use it to run a plugin under the
// race detector (see plugintest.InProcess).
func ServeConn(ctx context.Context, conn net.Conn, newPlugin func() Plugin, stderr io.Writer) int {
	return instance.ServeConn(ctx, conn, dresser(newPlugin), stderr)
}

func dresser(newPlugin func() Plugin) func(*instance.Instance) instance.Author {
	return func(in *instance.Instance) instance.Author {
		return dress(newPlugin(), in)
	}
}
