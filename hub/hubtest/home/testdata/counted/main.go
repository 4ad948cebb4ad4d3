// Command counted is the plugin homekit as it ships, in a program of its own, that
// writes which goroutines it has into its data folder when it gets SIGUSR1.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"

	"github.com/porchlight-hub/porchlight/plugins/homekit"
	"github.com/porchlight-hub/porchlight/sdk"
)

// counted is the plugin, told where its data is.
type counted struct{ whole }

// whole are all interfaces that the plugin implements.
type whole interface {
	sdk.Plugin
	sdk.Bridge
	sdk.Checker
	sdk.Reconfigurer
	sdk.Healther
	sdk.SelfChecker
	sdk.ActionHandler
}

// Run counts beside the plugin.
func (c *counted) Run(ctx context.Context, hub *sdk.Hub) error {
	asked := make(chan os.Signal, 1) // one question at a time
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-asked:
				write(filepath.Join(hub.DataDir(), "goroutines"))
			}
		}
	}()
	return c.whole.Run(ctx, hub)
}

// write renames, so that a reader sees all or nothing.
func write(file string) {
	f, err := os.Create(file + ".new")
	if err != nil {
		return
	}
	err = pprof.Lookup("goroutine").WriteTo(f, 1)
	if f.Close() == nil && err == nil {
		_ = os.Rename(f.Name(), file) // the test waits for it and says so
	}
}

func main() {
	sdk.Serve(func() sdk.Plugin { return &counted{homekit.New().(whole)} })
}
