package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func camerasCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "cameras", Short: "The cameras and doorbells of the house", Args: noArgs}
	cmd.AddCommand(camerasList(g), camerasTest(g), camerasSnapshot(g), camerasRetry(g), camerasHook(g))
	return cmd
}

func camerasList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the cameras, and how the pictures of each come",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.Cameras(ctx)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			printCameras(cmd.OutOrStdout(), list)
			return nil
		}),
	})
}

func printCameras(w io.Writer, list []api.Camera) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no cameras are configured")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tNAME\tSTATE\tSTREAM\tPICTURES\tREASON")
	for i := range list {
		c := &list[i]
		first := fmt.Sprintf("%s\t%s\t%s", c.ID, c.Name, cameraState(c))
		if len(c.Sources) == 0 {
			fmt.Fprintf(tw, "%s\t-\t-\t%s\n", first, c.OfflineReason)
		}
		for _, s := range c.Sources {
			reason := s.Reason
			if s.Code != "" {
				reason += " [" + s.Code + "]"
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", first, s.Stream, pictures(s), strings.TrimSpace(reason))
			first = "\t\t"
		}
	}
	tw.Flush()
	for i := range list {
		for _, s := range list[i].Sources {
			if s.Fix != "" {
				fmt.Fprintf(w, "%s %s: to mend it: %s\n", list[i].ID, s.Stream, s.Fix)
			}
		}
	}
}

func cameraState(c *api.Camera) string {
	switch {
	case c.Button:
		return "button"
	case !c.Known:
		return "unknown"
	case c.Online:
		return "online"
	}
	return "offline"
}

// pictures is what comes of a source, in a few words.
func pictures(s api.Source) string {
	parts := []string{cmp.Or(s.State, "unknown")}
	if s.Codec != "" {
		parts = append(parts, s.Codec)
	}
	if s.Width > 0 {
		parts = append(parts, fmt.Sprintf("%dx%d", s.Width, s.Height))
	}
	flows := s.State == "live" || s.State == "pushed" // what came before it stopped is nothing of now
	if flows && s.FPS > 0 {
		parts = append(parts, fmt.Sprintf("%.0f/s", s.FPS))
	}
	if flows && s.BitrateKbps > 0 {
		parts = append(parts, fmt.Sprintf("%d kb/s", s.BitrateKbps))
	}
	if len(s.Sound) > 0 {
		parts = append(parts, "+ "+strings.Join(s.Sound, ", "))
	}
	return strings.Join(parts, " ")
}

func camerasTest(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "test CAMERA",
		Short: "Look at a camera afresh: reach it, log in, watch a few seconds",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			report, err := c.TestCamera(ctx, args[0])
			if err != nil {
				return err
			}
			if g.json {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				printReport(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.OK {
				err = saidError{errors.New("cameras: test: something must be mended")}
			}
			return err
		}),
	})
}

func printReport(w io.Writer, r api.CameraReport) {
	for _, c := range r.Checks {
		line := fmt.Sprintf("%-4s  %s", c.State, c.What)
		if c.Why != "" {
			line += " — " + c.Why
		}
		if c.Code != "" {
			line += " [" + c.Code + "]"
		}
		fmt.Fprintln(w, line)
		if c.Fix != "" {
			fmt.Fprintf(w, "      to mend it: %s\n", c.Fix)
		}
	}
}

func camerasSnapshot(g *globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "snapshot CAMERA",
		Short: "Save a picture of now as a JPEG file",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			picture, err := c.Snapshot(ctx, args[0])
			if err != nil {
				return err
			}
			if file == "-" {
				_, err := os.Stdout.Write(picture.JPEG)
				return err
			}
			to := cmp.Or(file, args[0]+".jpg")
			// It shows people at a door: nobody else of this machine needs to see it.
			if err := os.WriteFile(to, picture.JPEG, 0o600); err != nil {
				return fmt.Errorf("cameras: snapshot: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d KB", to, (len(picture.JPEG)+1023)/1024)
			if picture.Age >= 2*time.Second {
				fmt.Fprintf(cmd.OutOrStdout(), ", taken %s ago", picture.Age)
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return nil
		}),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "where to; - is standard output (default CAMERA.jpg)")
	return cmd
}

func camerasRetry(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "retry CAMERA",
		Short: "Try to reach a camera now, whenever the next try was to be",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			if err := c.Retry(ctx, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is tried now; porchlight cameras ls shows what comes of it\n", args[0])
			return nil
		}),
	}
}

func camerasHook(g *globals) *cobra.Command {
	var renew bool
	cmd := reads(g, &cobra.Command{
		Use:   "hook CAMERA",
		Short: "Print the address that rings a doorbell by one POST",
		Long:  "Print the address that rings a doorbell or a bare button by one POST.\nWhoever knows it rings: treat it as a key. --renew makes the old one worthless.",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			get := c.Hook
			if renew {
				get = c.RenewHook
			}
			hook, err := get(ctx, args[0])
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), hook)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\ncurl -X POST %[1]s\n", hook.URL)
			if !hook.LastUsed.IsZero() {
				fmt.Fprintf(cmd.OutOrStdout(), "last used %s\n", hook.LastUsed.In(houseZone(ctx, c)).Format(time.DateTime))
			}
			return nil
		}),
	})
	cmd.Flags().BoolVar(&renew, "renew", false, "make another; the old one rings no more")
	return cmd
}
