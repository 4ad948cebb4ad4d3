package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func chimeCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "chime", Short: "The things that sound", Args: noArgs}
	cmd.AddCommand(chimeList(g), chimeTest(g))
	return cmd
}

func chimeList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the chimes",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			list, quiet, err := c.Chimes(ctx)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if g.json {
				return printJSON(w, list)
			}
			tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
			fmt.Fprintln(tw, "ID\tNAME\tBY\tSOUND\tVOLUME\t")
			for _, x := range list {
				by, muted := x.Plugin, ""
				if by == "" {
					by = x.Builtin
				}
				if x.Muted {
					muted = "muted"
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\n", x.ID, x.Name, by, x.Sound, x.Volume, muted)
			}
			tw.Flush()
			if quiet.On {
				fmt.Fprintln(w, quietLine(quiet, houseZone(ctx, c)))
			}
			return nil
		}),
	})
}

// silent is a chime that was asked to sound and did not.
type silent struct{ chime, reason string }

func (s *silent) Error() string { return "chime " + s.chime + " did not sound: " + s.reason }

// Code for `porchlight explain`.
func (s *silent) Code() string { return "E-WEB-CHIME-SILENT" }

// quietLine tells how long the house is kept quiet. A switch in Apple Home keeps it so without an end.
func quietLine(q api.Quiet, zone *time.Location) string {
	if q.Until.IsZero() {
		return "the house is kept quiet"
	}
	return "the house is kept quiet until " + q.Until.In(zone).Format("2006-01-02 15:04")
}

func chimeTest(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "test CHIME",
		Short: "Let one chime sound",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			played, err := c.TestChime(ctx, args[0])
			if err != nil {
				return err
			}
			if g.json {
				err = printJSON(cmd.OutOrStdout(), played)
			} else if played.Played {
				fmt.Fprintf(cmd.OutOrStdout(), "%s sounded after %d ms\n", args[0], played.TookMS)
			}
			if err == nil && !played.Played {
				err = &silent{args[0], played.Reason}
			}
			return err
		}),
	})
}
