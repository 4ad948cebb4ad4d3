package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func streamsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "streams", Short: "What lets players and recorders read cameras by RTSP", Args: noArgs}
	cmd.AddCommand(streamsNew(g), streamsList(g), streamsRevoke(g))
	return cmd
}

func streamsNew(g *globals) *cobra.Command {
	var talk bool
	var cameras []string
	cmd := reads(g, &cobra.Command{
		Use:   "new NAME",
		Short: "Make a stream password; it is shown once",
		Long: "Make a password for a program that reads cameras by RTSP, as VLC or a recorder, and print where it\n" +
			"reads what: this once and never again. It opens streams, and nothing else of the hub.\n" +
			"Other machines may read while hub.rtsp.lan is on.",
		Example: "  porchlight streams new \"VLC in the hall\" --camera front_door",
		Args:    argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			p, err := c.NewStreamPassword(ctx, args[0], talk, cameras)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), p)
			}
			// Alone on standard output, so that a script can take them.
			for _, u := range p.URLs {
				fmt.Fprintln(cmd.OutOrStdout(), u.URL)
			}
			aside := plain{cmd.ErrOrStderr()}
			fmt.Fprintf(aside, "User %s, password %s. This is the only time that it is shown; porchlight streams revoke %s ends it.\n", p.User, p.Password, p.ID)
			if len(p.URLs) == 0 {
				fmt.Fprintln(aside, "There is no stream to read now; porchlight streams ls tells why.")
			}
			return nil
		}),
	})
	cmd.Flags().BoolVar(&talk, "talk", false, "it may also speak to the door, by an ONVIF back channel")
	cmd.Flags().StringSliceVar(&cameras, "camera", nil, "only for these cameras (default: the whole house)")
	return cmd
}

func streamsList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the stream passwords, and where the streams are",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			all, err := c.StreamPasswords(ctx)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), all)
			}
			printStreams(cmd.OutOrStdout(), all, houseZone(ctx, c))
			return nil
		}),
	})
}

func printStreams(w io.Writer, all api.StreamPasswords, zone *time.Location) {
	if len(all.Passwords) == 0 {
		fmt.Fprintln(w, "no stream passwords; porchlight streams new NAME makes one")
	} else {
		tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(tw, "ID\tNAME\tUSER\tMAY\tCAMERAS\tLAST USED")
		for _, p := range all.Passwords {
			may, cameras, used := "view", "all", "never"
			if p.Talk {
				may = "view,talk"
			}
			if len(p.Cameras) > 0 {
				cameras = strings.Join(p.Cameras, ",")
			}
			if !p.LastUsed.IsZero() {
				used = p.LastUsed.In(zone).Format("2006-01-02 15:04")
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Name, p.User, may, cameras, used)
		}
		tw.Flush()
	}
	if all.Why != "" {
		fmt.Fprintf(w, "\nNobody can read now: %s\n", all.Why)
		if all.Fix != "" {
			fmt.Fprintln(w, all.Fix)
		}
		return
	}
	fmt.Fprintln(w)
	for _, s := range all.Streams {
		fmt.Fprintln(w, s.URL)
	}
	if !all.LAN {
		fmt.Fprintln(w, "Programs on this machine can read; for others set hub.rtsp.lan: true.")
	}
}

func streamsRevoke(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID|NAME",
		Short: "Make a stream password worthless at once",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			all, err := c.StreamPasswords(ctx)
			if err != nil {
				return err
			}
			p, err := choose("streams", all.Passwords, func(p api.StreamPassword) (id, name string) { return p.ID, p.Name }, args[0])
			if err != nil {
				return err
			}
			if err := c.RevokeStreamPassword(ctx, p.ID); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) works no more\n", p.Name, p.ID)
			return nil
		}),
	}
}
