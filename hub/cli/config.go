package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func configCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the YAML", Args: noArgs}
	// A signal ends these at once: they only read, and reading a file asks no context.
	cmd.PersistentPreRun = func(*cobra.Command, []string) { signal.Reset(os.Interrupt, syscall.SIGTERM) }
	cmd.AddCommand(configValidate(g), configShow(g), configStatus(g), configDiff(g), configSchema(), configMigrate(g), configExplain(g))
	return cmd
}

// fileOrFlag is the file to look at: the argument, the flag, or ./porchlight.yaml.
func (g *globals) fileOrFlag(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	if file, ok := g.configFile(); ok {
		return file, nil
	}
	return "", usageError{fmt.Errorf("there is no porchlight.yaml here; name a file")}
}

// readOptions are those that a hub started from here would read its file with.
func (g *globals) readOptions(flags *pflag.FlagSet) (config.Options, error) {
	o := loadOptions()
	var err error
	o.Overrides, err = overrides(flags)
	return o, err
}

func configValidate(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a file: all problems at once, each with its place",
		Args:  argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := g.fileOrFlag(args)
			if err != nil {
				return err
			}
			o, err := g.readOptions(cmd.Flags())
			if err != nil {
				return err
			}
			_, problems := config.Load(file, o)
			if g.json {
				if problems == nil {
					problems = []config.Problem{}
				}
				if err := printJSON(cmd.OutOrStdout(), problems); err != nil {
					return err
				}
			} else if len(problems) > 0 {
				fmt.Fprint(cmd.OutOrStdout(), config.Text(problems, ""))
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%s is valid\n", file)
			}
			if err := config.AsError(problems); err != nil {
				return saidError{err}
			}
			return nil
		},
	})
}

func configShow(g *globals) *cobra.Command {
	var defaults, sources bool
	cmd := reads(g, &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show the config as the hub understands it, secrets masked",
		Args:  argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if defaults && sources {
				return usageError{errors.New("config show: --defaults and --sources exclude each other")}
			}
			if defaults {
				fmt.Fprintf(cmd.OutOrStdout(), "%s", config.Defaults())
				return nil
			}
			o, err := g.readOptions(cmd.Flags())
			if err != nil {
				return err
			}
			c, problems := config.Parse("demo", []byte(config.DemoYAML()), o)
			if file, err := g.fileOrFlag(args); err == nil { // without a file it is the demo that would run
				c, problems = config.Load(file, o)
			}
			if c == nil {
				fmt.Fprint(cmd.ErrOrStderr(), config.Text(problems, ""))
				return saidError{config.AsError(problems)}
			}
			switch {
			case g.json:
				return printJSON(cmd.OutOrStdout(), c)
			case sources:
				fmt.Fprintf(cmd.OutOrStdout(), "%s", c.Show(config.ViewSources))
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "%s", c.Effective())
			}
			return nil
		},
	})
	cmd.Flags().Bool("effective", true, "with every default filled in")
	cmd.Flags().BoolVar(&defaults, "defaults", false, "only the defaults")
	cmd.Flags().BoolVar(&sources, "sources", false, "where each key was set")
	return cmd
}

func configStatus(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "status",
		Short: "Show what the running hub says of its file",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			got, err := c.Config(ctx)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if g.json {
				return printJSON(w, got.ConfigState)
			}
			if got.Demo {
				fmt.Fprintln(w, "the demo runs; there is no file")
				return nil
			}
			fmt.Fprintf(w, "%s, in force since %s\n", got.File, got.Loaded.In(houseZone(ctx, c)).Format(time.DateTime))
			if len(got.Problems) > 0 {
				fmt.Fprint(w, config.Text(problems(got.Problems), ""))
			}
			return nil
		}),
	})
}

func problems(list []api.ConfigProblem) []config.Problem {
	out := make([]config.Problem, 0, len(list))
	for _, p := range list {
		out = append(out, config.Problem{File: p.File, Line: p.Line, Column: p.Column, Severity: config.Severity(p.Severity), Code: p.Code,
			Message: p.Message, Excerpt: p.Excerpt, Suggestion: p.Suggestion, Hint: p.Hint, Path: p.Path})
	}
	return out
}
