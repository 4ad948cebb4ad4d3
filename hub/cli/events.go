package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func eventsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "What happened at the door", Args: noArgs}
	cmd.AddCommand(eventsList(g), eventsTail(g), eventsTrace(g))
	return cmd
}

func eventsList(g *globals) *cobra.Command {
	var since time.Duration
	var camera string
	var kinds []string
	var limit int
	cmd := reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List events, newest first",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.Events(ctx, client.Query{Since: time.Now().Add(-since), Camera: camera, Kinds: kinds, Limit: limit})
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			if len(list.Events) == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "no events in the last %s\n", since)
			}
			zone := houseZone(ctx, c)
			for i := range list.Events {
				printEvent(cmd.OutOrStdout(), &list.Events[i], zone)
			}
			return nil
		}),
	})
	cmd.Flags().DurationVar(&since, "since", 24*time.Hour, "how far back")
	cmd.Flags().StringVar(&camera, "camera", "", "of one camera")
	cmd.Flags().StringSliceVar(&kinds, "kind", []string{"ring", "motion", "person", "parcel", "talk", "audio"}, "of these kinds")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return cmd
}

func printEvent(w io.Writer, e *api.Event, zone *time.Location) {
	where := e.CameraName
	if where == "" {
		where = e.Subject
	}
	fmt.Fprintf(w, "%s  %-8s %-20s %s\n", e.At().In(zone).Format("2006-01-02 15:04:05"), e.Type, where, e.ID)
}

func eventsTail(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "tail",
		Short: "Show events as they happen, until Ctrl-C",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			enc := json.NewEncoder(cmd.OutOrStdout())
			zone := houseZone(ctx, c)
			for e, err := range c.TailEvents(ctx, 0) {
				if err != nil {
					return err
				}
				if g.json {
					if err := enc.Encode(e); err != nil {
						return err
					}
					continue
				}
				printEvent(cmd.OutOrStdout(), &e.Event, zone)
			}
			return nil
		}),
	})
}

func eventsTrace(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "trace EVENT_ID",
		Short: "Show every hop of an event: who got it, when, and what came of it",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			tr, err := c.Trace(ctx, args[0])
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), tr)
			}
			printTrace(cmd.OutOrStdout(), tr, houseZone(ctx, c))
			return nil
		}),
	})
}

func printTrace(w io.Writer, tr api.Trace, zone *time.Location) {
	e := &tr.Event
	fmt.Fprintf(w, "%s at %s, %s (event %s)\n", e.Type, e.CameraName, e.At().In(zone).Format("2006-01-02 15:04:05.000"), e.ID)
	for _, h := range tr.Hops {
		line := fmt.Sprintf("  +%9s  %-7s  %s: %s", time.Duration(h.SincePressUS)*time.Microsecond, h.Outcome, h.Who, h.What)
		if h.Detail != "" {
			line += " (" + h.Detail + ")"
		}
		if h.TookUS > 0 {
			line += fmt.Sprintf(", took %s", time.Duration(h.TookUS)*time.Microsecond)
		}
		if h.Replay {
			line += ", replay"
		}
		fmt.Fprintln(w, line)
		if h.Fix != "" {
			fmt.Fprintf(w, "  %19s  to mend it: %s\n", "", h.Fix)
		}
	}
}
