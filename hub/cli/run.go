package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/app"
	"github.com/porchlight-hub/porchlight/plugins"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// keyDelimiter of viper: no key of the hub section holds it, so none is split.
const keyDelimiter = "::"

func runCommand(g *globals) *cobra.Command {
	var demo bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the hub (the same as porchlight without a command)",
		Args:  noArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&demo, "demo", false, "run the demo doorbell, whatever ./porchlight.yaml says")
	f.String("listen", "", "address and port of the pages (hub.listen)")
	f.String("name", "", "the house's name (hub.name)")
	f.String("log-level", "", "debug, info, warn or error (hub.log.level)")
	f.String("log-format", "", "auto, text or json (hub.log.format)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if demo && g.config != "" {
			return usageError{errors.New("run: --demo and --config exclude each other")}
		}
		return runHub(cmd.Context(), g, demo, cmd.Flags(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// bundled lists what ships, with the manifests that the config is checked by.
func bundled() []app.Bundled {
	var out []app.Bundled
	for _, e := range plugins.Bundled() {
		out = append(out, app.Bundled{Name: e.Name, Binary: e.Binary, Manifest: e.Manifest()})
	}
	return out
}

// loadOptions are what the config's reader must know of this binary.
func loadOptions() config.Options {
	o := config.Options{Schemas: map[string]config.PluginSchema{}}
	for _, b := range bundled() {
		o.Builtins = append(o.Builtins, b.Name)
		o.Schemas[b.Name] = config.PluginSchema{Config: b.Manifest.ConfigSchema, Device: b.Manifest.DeviceSchema, Offers: offers(b.Manifest)}
	}
	return o
}

// offers are a manifest's capabilities as plain words.
func offers(m manifest.Manifest) []string {
	var out []string
	for _, c := range m.Capabilities {
		out = append(out, string(c))
	}
	return out
}

// overrides are the hub keys that flags and PORCHLIGHT_* set; flags win.
func overrides(flags *pflag.FlagSet) ([]config.Override, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(keyDelimiter))
	v.SetEnvPrefix("PORCHLIGHT")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	var out []config.Override
	for _, key := range config.HubKeys() {
		if err := v.BindEnv(key); err != nil {
			return nil, fmt.Errorf("environment: %s: %w", key, err)
		}
		name := strings.NewReplacer(".", "-", "_", "-").Replace(key)
		from := "PORCHLIGHT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		if flag := flags.Lookup(name); flag != nil {
			if err := v.BindPFlag(key, flag); err != nil {
				return nil, fmt.Errorf("flag --%s: %w", name, err)
			}
			if flag.Changed {
				from = "--" + name
			}
		}
		if value := v.GetString(key); value != "" {
			out = append(out, config.Override{Key: key, Value: value, From: from})
		}
	}
	return out, nil
}

func runHub(ctx context.Context, g *globals, demo bool, flags *pflag.FlagSet, out, errOut io.Writer) error {
	over, err := overrides(flags)
	if err != nil {
		return err
	}
	o := app.Options{Bundled: bundled(), LoadOptions: loadOptions(), Version: version,
		Tell: func(text string) { fmt.Fprint(errOut, text) }}
	o.LoadOptions.Overrides = over
	if file, ok := g.configFile(); ok && !demo {
		o.File = file
	}
	if err := firstConfig(&o, errOut); err != nil {
		return err
	}
	o.Level = new(slog.LevelVar)
	o.Log = newLog(o.Config.Hub.Log, o.Level, errOut)
	hub, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	url, err := hub.SetupURL(ctx)
	if err != nil {
		return err
	}
	banner(out, &o, url, hub.TrustURL(), hub.CertificateTrouble())
	return hub.Serve(ctx)
}

// firstConfig reads the file, or the demo; a file that is not valid gives way to
// the config that last worked, and where there is none to an empty house whose
// pages tell what is wrong.
func firstConfig(o *app.Options, errOut io.Writer) error {
	o.Loaded = time.Now()
	o.DataDir = dataDir(o.File, o.LoadOptions)
	if o.File == "" {
		o.Config, o.Problems = config.Parse("demo", []byte(config.DemoYAML()), o.LoadOptions)
		if err := config.AsError(o.Problems); err != nil {
			fmt.Fprint(errOut, config.Text(o.Problems, ""))
			return saidError{err}
		}
	} else {
		o.Config, o.Problems = config.Load(o.File, o.LoadOptions)
	}
	if o.Config != nil {
		if len(o.Problems) > 0 {
			fmt.Fprint(errOut, config.Text(o.Problems, ""))
		}
		return nil
	}
	return lastGood(o, errOut)
}

func lastGood(o *app.Options, errOut io.Writer) error {
	c, saved, err := config.LoadLastGood(filepath.Join(o.DataDir, "last-good"), o.LoadOptions)
	if err == nil {
		o.Config, o.Loaded = c, saved
		fmt.Fprint(errOut, config.Text(o.Problems, "The hub runs with the config that last worked, of "+saved.Local().Format(time.DateTime)+"."))
		return nil
	}
	if !errors.Is(err, config.ErrNoLastGood) {
		fmt.Fprintf(errOut, "porchlight: %v\n", err)
	}
	dir, err := json.Marshal(o.DataDir)
	if err != nil {
		return err
	}
	empty, problems := config.Parse(o.File, fmt.Appendf(nil, "version: 1\nhub: {data_dir: %s}\n", dir), o.LoadOptions)
	if empty == nil {
		fmt.Fprint(errOut, config.Text(problems, ""))
		return saidError{config.AsError(problems)}
	}
	o.Config = empty
	fmt.Fprint(errOut, config.Text(o.Problems, "No config has worked here before: the hub runs without cameras until the file is mended."))
	return nil
}

func newLog(l config.Log, level *slog.LevelVar, w io.Writer) *slog.Logger {
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level.Set(slog.LevelInfo)
	}
	tty := isTerminal(w)
	if l.Format == "json" || l.Format == "auto" && !tty {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !tty || os.Getenv("NO_COLOR") != ""}))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// banner is the first thing that a person reads; trouble: why browsers will not open it.
func banner(w io.Writer, o *app.Options, url, trust string, trouble error) {
	fmt.Fprintf(w, "Porchlight %s", o.Version)
	if o.File == "" {
		fmt.Fprint(w, " in demo mode: no config found\n")
	} else {
		fmt.Fprintf(w, " with %s\n", o.File)
	}
	fmt.Fprintf(w, "\n  Open  %s\n", url)
	fmt.Fprint(w, "        (signs you in as owner; works once, for 30 minutes; porchlight setup-link prints a new one)\n\n")
	if trouble != nil {
		fmt.Fprintln(w, "Browsers refuse that page, or warn of it:")
		explainError(w, trouble)
		fmt.Fprintln(w)
	}
	phone := url
	if trust != "" { // a phone has to trust the certificate before anything else
		phone = trust
		fmt.Fprintf(w, "  Trust %s\n", trust)
		fmt.Fprint(w, "        (once on each phone and computer; porchlight tls status prints the fingerprint to compare)\n\n")
	}
	if isTerminal(w) { // in a log it is noise
		printQR(w, phone)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  Data  %s\n", o.DataDir)
	if o.File == "" {
		fmt.Fprint(w, "  To keep this setup, save these lines as porchlight.yaml:\n\n")
		for line := range strings.Lines(config.DemoYAML()) {
			if !strings.HasPrefix(line, "#") {
				fmt.Fprint(w, "    "+line)
			}
		}
	}
	fmt.Fprint(w, "\n  Press Ctrl-C to stop\n")
}
