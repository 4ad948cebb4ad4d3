package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	_ "time/tzdata" // hub.timezone holds on machines without a zone database too

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// version is set by the build.
var version = "dev"

// Main runs the command line and gives the exit code. A plugin of this binary is
// started before flags, config or logs are set up.
func Main(args []string) int {
	if len(args) > 1 && args[0] == "plugin" {
		return pluginMain(args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var said saidError
	if err != nil && !errors.As(err, &said) && exitCode(err) != exitOK {
		explainError(os.Stderr, err)
	}
	return exitCode(err)
}

// saidError has been told to the person already.
type saidError struct{ error }

func (e saidError) Unwrap() error { return e.error }

// globals are the flags that every command has.
type globals struct {
	config string
	url    string
	ca     string
	json   bool
}

func newRoot() *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use:   "porchlight",
		Short: "A local hub for video doorbells and cameras",
		Long: "Porchlight is a local hub for video doorbells and cameras. Without a command it runs.\n" +
			"It reads ./porchlight.yaml where there is one, and shows a demo doorbell otherwise.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
	}
	root.PersistentFlags().StringVar(&g.config, "config", "", "the YAML file (default ./porchlight.yaml where it exists)")
	root.PersistentFlags().String("data-dir", "", "where the hub keeps its data (default: what the config says)")
	root.PersistentFlags().StringVar(&g.url, "url", "", "ask a hub elsewhere, by its address, with the token in "+tokenVariable+" (default: "+urlVariable+")")
	root.PersistentFlags().StringVar(&g.ca, "ca", "", "with --url https://…: a PEM file of the authority that the hub's certificate is of (default: "+caVariable+")")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	run := runCommand(g)
	root.RunE = run.RunE
	root.Flags().AddFlagSet(run.Flags())
	root.AddCommand(run, ringCommand(g), eventsCommand(g), pluginsCommand(g), configCommand(g),
		explainCommand(g), setupLinkCommand(g), versionCommand(g))
	root.AddCommand(doctorCommand(g))
	root.AddCommand(camerasCommand(g), chimeCommand(g), tokensCommand(g), streamsCommand(g), apiCommand(g))
	root.AddCommand(tlsCommand(g), homekitCommand(g))
	root.AddCommand(initCommand(), secretsCommand(g), completionCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no %q; porchlight help lists the commands", cmd.CommandPath(), args[0])}
	}
	return nil
}

// argsBetween counts as cobra.RangeArgs does, and makes it a usage error.
func argsBetween(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.RangeArgs(low, high)(cmd, args); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}

// reads adds --json to a command that reads.
func reads(g *globals, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&g.json, "json", false, "print JSON")
	return cmd
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// configFile is the file to read: the flag's, else ./porchlight.yaml where it
// exists, else none (the demo).
func (g *globals) configFile() (string, bool) {
	if g.config != "" {
		return g.config, true
	}
	if _, err := os.Stat("porchlight.yaml"); err == nil {
		return "porchlight.yaml", true
	}
	return "", false
}

// demoDataDir is where the demo keeps what it knows.
func demoDataDir() string { return filepath.Join(xdg.StateHome, "porchlight") }

// findDataDir tells where the hub that is meant keeps its data.
func (g *globals) findDataDir(flags *pflag.FlagSet) (string, error) {
	o := loadOptions()
	var err error
	if o.Overrides, err = overrides(flags); err != nil {
		return "", err
	}
	file, _ := g.configFile()
	return dataDir(file, o), nil
}

// dataDir is what a flag or a variable names, else what the file says as well as it
// can be read. Without either it is the demo's.
func dataDir(file string, o config.Options) string {
	if file == "" && !slices.ContainsFunc(o.Overrides, func(o config.Override) bool { return o.Key == "data_dir" }) {
		return demoDataDir()
	}
	return config.DataDir(file, o)
}

// withHub runs f with a connection to the running hub.
func (g *globals) withHub(f func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := g.dial(cmd)
		if err != nil {
			return err
		}
		defer c.Close()
		cmd.SetOut(plain{cmd.OutOrStdout()})
		return f(cmd.Context(), cmd, c, args)
	}
}

// houseZone is that of the times on the hub's pages, so that both tell the same. It is
// this machine's where the hub has none of its own, or does not say.
func houseZone(ctx context.Context, c *client.Client) *time.Location {
	got, err := c.Config(ctx)
	if err != nil || got.Timezone == "" {
		return time.Local
	}
	zone, err := time.LoadLocation(got.Timezone)
	if err != nil {
		return time.Local
	}
	return zone
}
