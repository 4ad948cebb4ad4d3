package cli

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/doctor"
)

func explainCommand(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Say what an error code means and how to mend it; without a code, list all",
		Args:  argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) == 0 {
				if g.json {
					return printJSON(w, doctor.Codes())
				}
				for _, code := range doctor.Codes() {
					t, _ := doctor.Explain(code)
					fmt.Fprintf(w, "%-28s %s\n", code, t.Title)
				}
				return nil
			}
			code := strings.ToUpper(args[0])
			t, ok := doctor.Explain(code)
			if !ok {
				return usageError{fmt.Errorf("there is no code %s%s; porchlight explain lists all", code, nearest(code))}
			}
			if g.json {
				return printJSON(w, t)
			}
			fmt.Fprintf(w, "%s: %s\n\n%s\n\nTo mend it: %s\n", code, t.Title, t.What, t.Mend)
			return nil
		},
	})
}

func nearest(code string) string {
	best, at := "", 4
	for _, c := range doctor.Codes() {
		if d := levenshtein.ComputeDistance(code, c); d < at {
			best, at = c, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}
