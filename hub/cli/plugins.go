package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func pluginsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "plugins", Short: "The plugins, each a process of its own", Args: noArgs}
	cmd.AddCommand(pluginsList(g), pluginsInfo(g), pluginsLogs(g), pluginsRestart(g))
	return cmd
}

func pluginsList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the plugins and how each is",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.Plugins(ctx)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			printPlugins(cmd.OutOrStdout(), list)
			return nil
		}),
	})
}

func printPlugins(w io.Writer, list []api.Plugin) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no plugins are configured")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tSTATE\tVERSION\tPID\tRESTARTS\tREASON")
	for _, p := range list {
		pid := "-"
		if p.PID > 0 {
			pid = fmt.Sprint(p.PID)
		}
		reason := p.Reason
		if p.Code != "" {
			reason += " [" + p.Code + "]"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\n", p.Name, p.State, p.Version, pid, p.Restarts, reason)
	}
	tw.Flush()
	for _, p := range list {
		if p.Optional && p.Code != "" {
			fmt.Fprintf(w, "%s: it is optional: the house works without it\n", p.Name)
		}
		if p.Fix != "" {
			fmt.Fprintf(w, "%s: to mend it: %s\n", p.Name, p.Fix)
		}
		for _, part := range p.Parts {
			told := part.Name+": "+part.Reason == p.Reason // it is the reason itself
			if part.State == "ok" || part.Reason == "" || told {
				continue
			}
			fmt.Fprintf(w, "%s: %s: %s\n", p.Name, part.Name, part.Reason)
			if part.Fix != "" {
				fmt.Fprintf(w, "%s: to mend it: %s\n", p.Name, part.Fix)
			}
		}
	}
}

func pluginsInfo(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "info NAME",
		Short: "What a plugin is, how it is, and what it may do",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			p, err := c.Plugin(ctx, args[0])
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), p)
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s %s (%s)\n", cmp.Or(p.Title, p.Name), p.Version, p.ID)
			printPlugins(w, []api.Plugin{p})
			fmt.Fprintln(w, "\nwhat it may do:")
			if len(p.Grants) == 0 {
				fmt.Fprintln(w, "  not known before its first start")
			}
			for _, s := range p.Grants {
				fmt.Fprintln(w, "  "+s)
			}
			return nil
		}),
	})
}

func pluginsLogs(g *globals) *cobra.Command {
	var lines int
	cmd := reads(g, &cobra.Command{
		Use:   "logs NAME",
		Short: "Show what a plugin logged",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Logs(ctx, args[0], lines)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			zone := houseZone(ctx, c)
			for _, l := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %-5s %s %s\n", l.Time.In(zone).Format("15:04:05.000"), l.Level, l.Text, l.Fields)
			}
			return nil
		}),
	})
	cmd.Flags().IntVar(&lines, "lines", 100, "at most so many")
	return cmd
}

func pluginsRestart(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "restart NAME",
		Short: "Stop a plugin and start it again; nothing else is touched",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			if err := c.Restart(ctx, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is being restarted\n", args[0])
			return nil
		}),
	}
}
