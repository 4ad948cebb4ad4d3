package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func setupLinkCommand(g *globals) *cobra.Command {
	var reset bool
	cmd := reads(g, &cobra.Command{
		Use:   "setup-link",
		Short: "Print a new one-time link that signs its opener in as owner",
		Args:  noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			link, err := c.SetupLink(ctx, reset)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), link)
			}
			if reset {
				fmt.Fprintln(cmd.OutOrStdout(), "The owner's password and all sign-ins are gone.")
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", link.URL)
			printQR(cmd.OutOrStdout(), link.URL)
			fmt.Fprintf(cmd.OutOrStdout(), "It works once, until %s.\n", link.Expires.In(houseZone(ctx, c)).Format(time.TimeOnly))
			return nil
		}),
	})
	cmd.Flags().BoolVar(&reset, "reset-owner", false, "for a lost password: forget the password, end all sign-ins and all tokens")
	return cmd
}

// printQR draws text as a QR code of half blocks with its quiet zone: dark on light by
// colours, or by the light of the blocks alone, as a dark terminal shows them.
func printQR(w io.Writer, text string) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return // too long for a code; the text stands beside it
	}
	if p, ok := w.(plain); ok { // these commands to the terminal are our own
		w = p.w
	}
	begin, end, blocks := "", "", [4]string{"█", "▄", "▀", " "}
	if isTerminal(w) && os.Getenv("NO_COLOR") == "" {
		begin, end, blocks = "\x1b[30;107m", "\x1b[0m", [4]string{" ", "▀", "▄", "█"}
	}
	const quiet = 2
	for y := -quiet; y < code.Size+quiet; y += 2 {
		fmt.Fprint(w, begin)
		for x := -quiet; x < code.Size+quiet; x++ {
			dark := 0
			if code.Black(x, y) {
				dark++
			}
			if code.Black(x, y+1) {
				dark += 2
			}
			fmt.Fprint(w, blocks[dark])
		}
		fmt.Fprint(w, end+"\n")
	}
}
