package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/config/editor"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// difference is what config diff tells.
type difference struct {
	Against string `json:"against"` // the config that the file is held against, for a person
	config.Plan
}

func configDiff(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "diff [FILE]",
		Short: "Show what a file would start, stop and change in the hub as it runs now",
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
			next, problems := config.Load(file, loadOptions()) // flags and variables of this process are none of the hub's
			if next == nil {
				fmt.Fprint(cmd.ErrOrStderr(), config.Text(problems, ""))
				return saidError{config.AsError(problems)}
			}
			known, ok := g.configFile()
			if !ok {
				known = file
			}
			now, against, err := inForce(cmd.Context(), dataDir(known, o), next)
			if err != nil {
				return err
			}
			d := difference{Against: against, Plan: config.Compare(now, next)}
			if g.json {
				return printJSON(cmd.OutOrStdout(), d)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s against %s:\n", file, against)
			if d.Empty() {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing would change")
			}
			fmt.Fprint(cmd.OutOrStdout(), d.Lines())
			return nil
		},
	})
}

// inForce is the config that the hub of a data folder has taken: the running one's, or
// the one that last worked. The kept copy knows the secrets too, which a hub does not
// tell; it is taken where it says what the hub says.
func inForce(ctx context.Context, dir string, next *config.Config) (*config.Config, string, error) {
	o := loadOptions()
	kept, saved, keptErr := config.LoadLastGood(filepath.Join(dir, "last-good"), o)
	c, err := client.Dial(ctx, dir)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, "", &notAllowed{dir, err}
		}
		if keptErr != nil {
			return nil, "", err
		}
		return kept, "the config that last worked, of " + saved.Local().Format(time.DateTime), nil
	}
	defer c.Close()
	got, err := c.Config(ctx)
	if err != nil {
		return nil, "", err
	}
	against := "the running hub"
	if keptErr == nil && withoutHub(string(kept.Effective())) == withoutHub(got.YAML) {
		return kept, against, nil
	}
	now, problems := config.Parse(next.File(), []byte(got.YAML), o)
	if now == nil {
		return nil, "", config.AsError(problems)
	}
	return now, against + " (which does not tell passwords: a changed one is not seen)", nil
}

// withoutHub leaves out the section that a hub's own flags change.
func withoutHub(yaml string) string {
	_, rest, _ := strings.Cut(yaml, "\nplugins:")
	return rest
}

func configSchema() *cobra.Command {
	var withPlugins bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the file, for editors",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema := []byte(config.Schema())
			if withPlugins {
				var err error
				if schema, err = editor.Schema(loadOptions()); err != nil {
					return err
				}
			}
			_, err := cmd.OutOrStdout().Write(schema)
			return err
		},
	}
	cmd.Flags().BoolVar(&withPlugins, "plugins", false, "with the schemas of the bundled plugins in their places")
	return cmd
}

func configMigrate(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate [FILE]",
		Short: "Print a file of an older version in the newest form; the file itself stays as it is",
		Args:  argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := g.fileOrFlag(args)
			if err != nil {
				return err
			}
			src, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			out, changes, problems := config.Migrate(file, src)
			if err := config.AsError(problems); err != nil {
				fmt.Fprint(cmd.ErrOrStderr(), config.Text(problems, ""))
				return saidError{err}
			}
			if len(changes) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is of the newest version, %d: nothing to change\n", file, config.FormatVersion)
			}
			for _, c := range changes {
				fmt.Fprintln(cmd.ErrOrStderr(), c)
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
}

func configExplain(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "explain KEY",
		Short: "Say what a key of the file means, as cameras.front_door.pull or only pull",
		Args:  argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, suggestion, err := editor.Explain(args[0], loadOptions())
			if err != nil {
				return err
			}
			if len(found) == 0 {
				if suggestion != "" {
					suggestion = fmt.Sprintf("; did you mean %q?", suggestion)
				}
				return usageError{fmt.Errorf("no key is called %q%s", args[0], suggestion)}
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), found)
			}
			for _, k := range found {
				fmt.Fprint(cmd.OutOrStdout(), k)
			}
			return nil
		},
	})
}
