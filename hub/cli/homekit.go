package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/porchlight-hub/porchlight/hub/web/api/client"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
)

func homekitCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "homekit", Short: "Apple Home: codes to scan, who is paired, what they watch", Args: noArgs}
	cmd.AddCommand(homekitQR(g), homekitStatus(g), homekitUnpair(g), homekitReset(g))
	return cmd
}

// withHomekit runs f with the entry's name of the plugin that is asked.
func (g *globals) withHomekit(f func(ctx context.Context, cmd *cobra.Command, c *client.Client, plugin string, args []string) error) func(*cobra.Command, []string) error {
	return g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
		list, err := c.Plugins(ctx)
		if err != nil {
			return err
		}
		p, ok := homekit.Find(list)
		if !ok {
			return homekit.NotSetUp{}
		}
		return f(ctx, cmd, c, p.Name, args)
	})
}

func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func homekitQR(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "qr [CAMERA]",
		Short: "Show the codes that add doorbells and cameras to Apple Home",
		Long: "Show the setup code of each accessory, or of one, and draw it for a phone's camera.\n" +
			"Who has a code and is in your network can add the accessory until it is in a home: treat it as a key.",
		Args: argsBetween(0, 1),
		RunE: g.withHomekit(func(ctx context.Context, cmd *cobra.Command, c *client.Client, plugin string, args []string) error {
			codes, err := homekit.AskCodes(ctx, c, plugin, argument(args))
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), codes)
			}
			printCodes(cmd.OutOrStdout(), codes)
			return nil
		}),
	})
}

func printCodes(w io.Writer, codes []homekit.Code) {
	if len(codes) == 0 {
		fmt.Fprintln(w, "no accessories: a doorbell or a camera in the config gets a code")
		return
	}
	for i, c := range codes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s (%s)", c.Label(), cmp.Or(c.Kind, "accessory"))
		if c.Paired {
			fmt.Fprint(w, ", in a home already: remove it there before you add it to another")
		}
		fmt.Fprintln(w)
		printQR(w, c.URI)
		fmt.Fprintf(w, "%s\n", c.Code)
	}
	fmt.Fprintln(w, "\nIn the Home app: +, Add Accessory, and the camera on a code, or type its digits.")
}

func homekitStatus(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "status",
		Short: "Tell of each accessory who is paired, and what they watch now",
		Args:  noArgs,
		RunE: g.withHomekit(func(ctx context.Context, cmd *cobra.Command, c *client.Client, plugin string, _ []string) error {
			status, err := homekit.AskStatus(ctx, c, plugin)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), status)
			}
			printHomes(cmd.OutOrStdout(), status, houseZone(ctx, c))
			return nil
		}),
	})
}

func printHomes(w io.Writer, s homekit.Status, zone *time.Location) {
	if len(s.All()) == 0 {
		fmt.Fprintln(w, "no accessories: a doorbell or a camera in the config becomes one")
	}
	for _, a := range s.All() {
		printAccessory(w, a, zone)
	}
	for _, i := range s.Interfaces {
		if i.Used {
			fmt.Fprintf(w, "announced on %s (%s)\n", i.Name, strings.Join(i.Addresses, ", "))
		} else {
			fmt.Fprintf(w, "not announced on %s: %s\n", i.Name, cmp.Or(i.Why, "no reason was given"))
		}
	}
}

func printAccessory(w io.Writer, a homekit.Accessory, zone *time.Location) {
	state := "waits to be added: porchlight homekit qr " + cmp.Or(a.Camera, "bridge")
	switch {
	case a.Problem != nil && !a.Paired:
		state = "not in Apple Home"
	case a.Paired:
		state = "paired with " + counted(len(a.Controllers), "controller")
	}
	fmt.Fprintf(w, "%s (%s", a.Label(), cmp.Or(a.Kind, "accessory"))
	if a.Port > 0 {
		fmt.Fprintf(w, ", port %d", a.Port)
	}
	if a.Announced != "" && a.Announced != a.Label() {
		fmt.Fprintf(w, ", announced as %q", a.Announced)
	}
	fmt.Fprintf(w, "): %s\n", strings.TrimSpace(state))
	if p := a.Problem; p != nil {
		fmt.Fprintf(w, "  wrong: %s", p.Message)
		if p.Code != "" {
			fmt.Fprintf(w, " [%s]", p.Code)
		}
		fmt.Fprintln(w)
		if p.Fix != "" {
			fmt.Fprintf(w, "  to mend it: %s\n", p.Fix)
		}
	}
	if !a.Active && a.Camera != "" && a.Problem == nil {
		fmt.Fprintln(w, "  switched off in Home: it gives no picture there")
	}
	for _, c := range a.Controllers {
		printController(w, c, zone)
	}
	for _, x := range a.Watching {
		how := "as the camera sends it"
		if why, yes := x.Converted(); yes {
			how = "converted"
			if why != "" {
				how += ": " + why
			}
		}
		rate := ""
		if x.Kbps > 0 { // not known in the first second
			rate = fmt.Sprintf(", %.0f kb/s", x.Kbps)
		}
		fmt.Fprintf(w, "  watched by %s: %s %d x %d, %.0f fps%s, %s%s\n", homekit.Controller{ID: x.Controller}.Short(), x.Stream, x.Width, x.Height, x.FPS, rate, how,
			map[bool]string{true: ", talking"}[x.Talking])
	}
	if r := a.LastRing; r != nil {
		fmt.Fprintf(w, "  last ring %s, told %s\n", r.At.In(zone).Format(time.DateTime), counted(r.Told, "controller"))
	}
	for _, why := range a.Choices {
		fmt.Fprintf(w, "  picture: %s\n", why)
	}
}

func printController(w io.Writer, c homekit.Controller, zone *time.Location) {
	fmt.Fprintf(w, "  %s", c.ID)
	if c.Admin {
		fmt.Fprint(w, ", admin")
	}
	switch {
	case c.Connections > 0:
		fmt.Fprintf(w, ", connected from %s", strings.Join(c.Addresses, ", "))
	case c.LastSeen.IsZero():
		fmt.Fprint(w, ", not heard of since the plugin started")
	default:
		fmt.Fprintf(w, ", last here %s", c.LastSeen.In(zone).Format(time.DateTime))
	}
	fmt.Fprintln(w)
	if c.LastError != "" {
		fmt.Fprintf(w, "    last error: %s", c.LastError)
		if !c.LastErrorAt.IsZero() {
			fmt.Fprintf(w, ", %s", c.LastErrorAt.In(zone).Format(time.DateTime))
		}
		fmt.Fprintln(w)
	}
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func homekitUnpair(g *globals) *cobra.Command {
	var camera string
	cmd := reads(g, &cobra.Command{
		Use:   "unpair CONTROLLER",
		Short: "Take a controller out: it loses the accessories at once",
		Long: "Take a controller out, by the id that porchlight homekit status shows; enough of its beginning to tell it apart will do.\n" +
			"When an accessory loses its last admin it forgets all others too, and waits to be added again.",
		Args: argsBetween(1, 1),
		RunE: g.withHomekit(func(ctx context.Context, cmd *cobra.Command, c *client.Client, plugin string, args []string) error {
			status, err := homekit.AskStatus(ctx, c, plugin)
			if err != nil {
				return err
			}
			id, err := status.Controller(args[0], camera)
			if err != nil {
				return usageError{err}
			}
			n, err := homekit.Unpair(ctx, c, plugin, camera, id)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), map[string]int{"removed": n})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is no longer paired (removed: %d)\n", id, n)
			return nil
		}),
	})
	cmd.Flags().StringVar(&camera, "camera", "", "only of this camera (default: of all)")
	return cmd
}

func homekitReset(g *globals) *cobra.Command {
	var yes bool
	cmd := reads(g, &cobra.Command{
		Use:   "reset [CAMERA]",
		Short: "Start over: a new identity and a new code; every home loses the accessory",
		Args:  argsBetween(0, 1),
		RunE: g.withHomekit(func(ctx context.Context, cmd *cobra.Command, c *client.Client, plugin string, args []string) error {
			camera := argument(args)
			if !yes {
				what := "Every accessory"
				if camera != "" {
					what = camera
				}
				if err := agree(cmd, what+" gets a new identity and a new code. Every home loses it, with its rooms and automations there."); err != nil {
					return err
				}
			}
			reset, err := homekit.Reset(ctx, c, plugin, camera)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), map[string][]string{"reset": reset})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "started over: %s\nporchlight homekit qr shows the new codes\n", strings.Join(reset, ", "))
			return nil
		}),
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// agree asks a person at a terminal; anybody else must say --yes.
func agree(cmd *cobra.Command, what string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return usageError{errors.New(cmd.CommandPath() + ": nobody is there to ask; add --yes if you are sure")}
	}
	fmt.Fprintf(plain{cmd.ErrOrStderr()}, "%s Go on? [y/N] ", what)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("%s: read the answer: %w", cmd.CommandPath(), err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return usageError{errors.New("nothing was changed")}
}
