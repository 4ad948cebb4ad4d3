package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func tlsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "tls", Short: "The certificate of the hub's pages", Args: noArgs}
	cmd.AddCommand(tlsStatus(g), tlsCA(g), tlsRenew(g))
	return cmd
}

func tlsStatus(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "status",
		Short: "What the certificate is for, how long it is good, and the fingerprint of the hub's authority",
		Args:  noArgs,
		RunE:  tellTLS(g, (*client.Client).TLS),
	})
}

// tellTLS prints what ask answers.
func tellTLS(g *globals, ask func(*client.Client, context.Context) (api.TLS, error)) func(*cobra.Command, []string) error {
	return g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
		st, err := ask(c, ctx)
		if err != nil {
			return err
		}
		if g.json {
			return printJSON(cmd.OutOrStdout(), st)
		}
		printTLS(cmd.OutOrStdout(), st, houseZone(ctx, c))
		return nil
	})
}

func printTLS(w io.Writer, st api.TLS, zone *time.Location) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-11s  %s\n", name, text)
		}
	}
	day := func(t time.Time) string { return t.In(zone).Format(time.DateOnly) }
	for _, x := range []*api.CodedReason{st.Trouble, st.Warning} {
		if x != nil {
			fmt.Fprintf(w, "%s [%s]\n  %s\n\n", x.Why, x.Code, x.Fix)
		}
	}
	line("mode", st.Mode)
	if st.Mode == config.TLSOff {
		fmt.Fprintln(w, "The pages are not encrypted. hub.tls: {mode: local-ca} in porchlight.yaml, and a new start of the hub, change that.")
		return
	}
	if len(st.Names) > 0 {
		line("good for", strings.Join(st.Names, ", "))
		line("not for", strings.Join(st.Missing, ", "))
		line("signed by", st.Issuer)
		line("good until", day(st.NotAfter))
	}
	if !st.Renews.IsZero() {
		line("renewed", "by itself on "+day(st.Renews)+", or when an address changes")
	}
	if a := st.Authority; a != nil {
		line("authority", a.Name+", until "+day(a.Until))
		line("SHA-256", a.SHA256)
		fmt.Fprintln(w)
		line("trust it", cmp.Or(st.Trust, "/trust")+" on each phone and computer shows how")
	}
}

func tlsCA(g *globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Print the hub's own certificate authority, for devices to trust",
		Long: "Print the certificate authority of hub.tls.mode: local-ca, as PEM. It holds no secret.\n" +
			"Phones and computers are shown how to take it by the page /trust; programs take the file.",
		Example: "  porchlight tls ca -o porchlight-ca.pem\n  curl --cacert porchlight-ca.pem https://192.168.1.5:8480/healthz",
		Args:    noArgs,
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, _ []string) error {
			st, err := c.TLS(ctx)
			switch {
			case err != nil:
				return err
			case st.Authority == nil && st.Trouble != nil:
				return errors.New(st.Trouble.Why + "; " + st.Trouble.Fix)
			case st.Authority == nil:
				return fmt.Errorf("tls: the hub has no authority of its own: hub.tls.mode is %s", st.Mode)
			case file == "":
				fmt.Fprint(cmd.OutOrStdout(), st.Authority.PEM)
				return nil
			}
			if err := os.WriteFile(file, []byte(st.Authority.PEM), 0o644); err != nil {
				return fmt.Errorf("tls: authority: %w", err)
			}
			fmt.Fprintf(plain{cmd.ErrOrStderr()}, "%s, SHA-256 %s\n", st.Authority.Name, st.Authority.SHA256)
			return nil
		}),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write it to a file")
	return cmd
}

func tlsRenew(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "renew",
		Short: "Make a new certificate now, or read the owner's files again",
		Long: "Make a new certificate now, or read the files of hub.tls again. The hub does both by itself in time.\n" +
			"The authority stays: devices need not be told again.",
		Args: noArgs,
		RunE: tellTLS(g, (*client.Client).RenewTLS),
	})
}
