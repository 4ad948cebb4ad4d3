package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func tokensCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "tokens", Short: "What lets other programs use the API", Args: noArgs}
	cmd.AddCommand(tokensNew(g), tokensList(g), tokensRevoke(g))
	return cmd
}

func tokensNew(g *globals) *cobra.Command {
	var scopes, cameras []string
	var expires string
	cmd := reads(g, &cobra.Command{
		Use:   "new NAME",
		Short: "Make a token; it is shown once",
		Long: "Make a token for a program, and print it: this once and never again.\n" +
			"Scopes: view (see), talk (speak at the door), control (ring, mute, keep quiet), config (read the config), admin (all).\n" +
			"The program sends it with each request, as Authorization: Bearer plt_….",
		Example: "  porchlight tokens new \"kitchen tablet\" --scope view,control --expires 90d",
		Args:    argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			until, err := parseEnd(expires, time.Now())
			if err != nil {
				return usageError{err}
			}
			t, err := c.NewToken(ctx, args[0], scopes, cameras, until)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), t)
			}
			// Alone on standard output, so that a script can take it.
			fmt.Fprintln(cmd.OutOrStdout(), t.Secret)
			fmt.Fprintf(plain{cmd.ErrOrStderr()}, "%s may %s%s%s. This is the only time that it is shown; porchlight tokens revoke %s ends it.\n",
				t.Name, strings.Join(t.Scopes, ", "), ofCameras(t), untilWhen(t, houseZone(ctx, c)), t.ID)
			return nil
		}),
	})
	cmd.Flags().StringSliceVar(&scopes, "scope", []string{"view"}, "what it may: view, talk, control, config, admin")
	cmd.Flags().StringSliceVar(&cameras, "camera", nil, "only for these cameras (default: the whole house)")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends: 90d, 12h, or a day as 2027-01-31 (default: never)")
	return cmd
}

func ofCameras(t api.Token) string {
	if len(t.Cameras) == 0 {
		return ""
	}
	return " at " + strings.Join(t.Cameras, ", ")
}

func untilWhen(t api.Token, zone *time.Location) string {
	if t.Expires.IsZero() {
		return ""
	}
	return " until " + t.Expires.In(zone).Format("2006-01-02 15:04")
}

// parseEnd reads a span from now, or a day, at whose end it ends.
func parseEnd(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d.Std()), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Time{}, fmt.Errorf("--expires %q: want a span as 90d or 12h, or a day as 2027-01-31", s)
}

func tokensList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the tokens, and when each was used last",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.Tokens(ctx)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			printTokens(cmd.OutOrStdout(), list, time.Now(), houseZone(ctx, c))
			return nil
		}),
	})
}

func printTokens(w io.Writer, list []api.Token, now time.Time, zone *time.Location) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no tokens; porchlight tokens new NAME makes one")
		return
	}
	day := func(t time.Time, never string) string {
		if t.IsZero() {
			return never
		}
		return t.In(zone).Format("2006-01-02 15:04")
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tNAME\tMAY\tCAMERAS\tLAST USED\tEXPIRES")
	for _, t := range list {
		cameras, expires := "all", day(t.Expires, "never")
		if len(t.Cameras) > 0 {
			cameras = strings.Join(t.Cameras, ",")
		}
		if !t.Expires.IsZero() && !t.Expires.After(now) {
			expires += " (over)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, strings.Join(t.Scopes, ","), cameras, day(t.LastUsed, "never"), expires)
	}
	tw.Flush()
}

func tokensRevoke(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID|NAME",
		Short: "Make a token worthless at once",
		Args:  argsBetween(1, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Tokens(ctx)
			if err != nil {
				return err
			}
			t, err := choose("tokens", list, func(t api.Token) (id, name string) { return t.ID, t.Name }, args[0])
			if err != nil {
				return err
			}
			if err := c.RevokeToken(ctx, t.ID); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) works no more\n", t.Name, t.ID)
			return nil
		}),
	}
}

// choose takes the one of that id, else the only one of that name. area is the command
// that lists them.
func choose[T any](area string, list []T, of func(T) (id, name string), word string) (one T, err error) {
	var named []T
	for _, x := range list {
		id, name := of(x)
		if id == word {
			return x, nil
		}
		if name == word {
			named = append(named, x)
		}
	}
	switch len(named) {
	case 0:
		return one, fmt.Errorf("%s: there is none with the id or name %q; porchlight %s ls lists them", area, word, area)
	case 1:
		return named[0], nil
	}
	return one, usageError{errors.New(area + ": several have that name; say which by its id")}
}
