package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func doctorCommand(g *globals) *cobra.Command {
	areas := strings.Join(doctor.Areas(), "|")
	return reads(g, &cobra.Command{
		Use:   "doctor [all|" + areas + "]...",
		Short: "Look at the house and this machine; tell what is wrong and the exact fix",
		Long: "One line a check: ok, warn or fail, what was found, why it matters, how to mend it.\n" +
			"It asks the running hub, or looks by itself where none runs. It changes nothing, and what it\n" +
			"prints holds no secret: it is safe to paste. The exit code is 1 where something failed.",
		ValidArgs: append([]string{"all"}, doctor.Areas()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := doctorAreas(args)
			if err != nil {
				return err
			}
			found, err := g.findings(cmd, chosen)
			if err != nil {
				return err
			}
			w := plain{cmd.OutOrStdout()}
			if g.json {
				if found == nil {
					found = []doctor.Finding{}
				}
				err = printJSON(w, found)
			} else {
				printFindings(w, found)
			}
			if err == nil && doctor.Failed(found) {
				err = saidError{errors.New("doctor: something must be mended")}
			}
			return err
		},
	})
}

// doctorAreas are those that the arguments name; none: all.
func doctorAreas(args []string) ([]string, error) {
	var out []string
	for _, a := range args {
		switch {
		case a == "all":
			return nil, nil
		case !slices.Contains(doctor.Areas(), a):
			return nil, usageError{fmt.Errorf("doctor: there is no area %q; there are %s", a, strings.Join(doctor.Areas(), ", "))}
		}
		out = append(out, a)
	}
	return out, nil
}

// findings are the running hub's, or those of a look from here where none runs.
func (g *globals) findings(cmd *cobra.Command, areas []string) ([]doctor.Finding, error) {
	c, err := g.dial(cmd)
	var away *client.NotRunning
	switch {
	case err == nil:
		defer c.Close()
		return askDoctor(cmd.Context(), c, areas)
	case !errors.As(err, &away), cmp.Or(g.url, os.Getenv(urlVariable)) != "": // this machine is not the one that is meant
		return nil, err
	}
	dir, err := g.findDataDir(cmd.Flags())
	if err != nil {
		return nil, err
	}
	d, err := g.doctorDeps(cmd, dir)
	if err != nil {
		return nil, err
	}
	return doctor.Check(cmd.Context(), d, areas...), nil
}

// doctorDeps is the house without a running hub.
func (g *globals) doctorDeps(cmd *cobra.Command, dataDir string) (doctor.Deps, error) {
	o := loadOptions()
	var err error
	if o.Overrides, err = overrides(cmd.Flags()); err != nil {
		return doctor.Deps{}, err
	}
	d := doctor.Deps{DataDir: dataDir, Listen: web.Listen}
	file, ok := g.configFile()
	if !ok {
		d.Config, d.Problems = config.Parse("demo", []byte(config.DemoYAML()), o)
		d.Look = lookFrom(d.Config)
		return d, nil
	}
	d.File = file
	if d.Config, d.Problems = config.Load(file, o); d.Config == nil {
		// The others are still worth looking at, by the config that would be in force.
		if c, _, err := config.LoadLastGood(filepath.Join(dataDir, "last-good"), o); err == nil {
			d.Config = c
		}
	}
	if d.Config != nil {
		d.Look = lookFrom(d.Config)
	}
	return d, nil
}

// printFindings is the form for a terminal and for a bug report.
func printFindings(w io.Writer, found []doctor.Finding) {
	count := map[doctor.State]int{}
	for _, f := range found {
		count[f.State]++
		parts := []string{f.What}
		for _, more := range []string{f.Why, f.Fix} {
			if more != "" {
				parts = append(parts, more)
			}
		}
		line := strings.ReplaceAll(strings.Join(parts, " — "), "\n", " ")
		if f.Code != "" {
			line += " [" + f.Code + "]"
		}
		fmt.Fprintf(w, "%-4s  %-7s  %s\n", f.State, f.Area, line)
	}
	fmt.Fprintf(w, "%d ok, %d to look at, %d to mend\n", count[doctor.OK], count[doctor.Warn], count[doctor.Fail])
}

// askDoctor lets the running hub look, which knows more.
func askDoctor(ctx context.Context, c *client.Client, areas []string) ([]doctor.Finding, error) {
	got, err := c.Doctor(ctx, areas...)
	if err != nil {
		return nil, err
	}
	out := make([]doctor.Finding, 0, len(got.Checks))
	for _, x := range got.Checks {
		out = append(out, doctor.Finding{Area: x.Area, State: doctor.State(x.State), What: x.What, Why: x.Why, Fix: x.Fix, Code: x.Code})
	}
	return out, nil
}
