package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a shell's script that completes commands and flags",
		Long:      "Print a shell's script that completes commands and flags.\n\n  bash:  source <(porchlight completion bash)\n  zsh:   porchlight completion zsh > \"${fpath[1]}/_porchlight\"\n  fish:  porchlight completion fish > ~/.config/fish/completions/porchlight.fish",
		Args:      argsBetween(1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return usageError{fmt.Errorf("completion: there is no script for %q; one of bash, zsh, fish, powershell", args[0])}
		},
	}
}
