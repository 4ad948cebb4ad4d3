package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/config/editor"
)

func initCommand() *cobra.Command {
	var dir string
	var demo bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first porchlight.yaml to go on with, its schema for editors, and secrets.yaml",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := editor.Schema(loadOptions())
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("init: %w", err)
			}
			for _, f := range []struct {
				name, text string
				mode       fs.FileMode
			}{
				{"porchlight.yaml", config.InitialYAML(demo), 0o644},
				{"porchlight.schema.json", string(schema), 0o644},
				{config.SecretsName, config.InitialSecrets(), 0o600},
			} {
				path := filepath.Join(dir, f.name)
				err := writeNew(path, f.text, f.mode)
				switch {
				case errors.Is(err, fs.ErrExist) && f.name == "porchlight.yaml":
					return &alreadyThere{path}
				case errors.Is(err, fs.ErrExist):
					fmt.Fprintf(cmd.OutOrStdout(), "kept   %s, which was there\n", path)
				case err != nil:
					return fmt.Errorf("init: %w", err)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "wrote  %s\n", path)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\nStart it:  porchlight run --config %s\n", filepath.Join(dir, "porchlight.yaml"))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "the folder to write into")
	cmd.Flags().BoolVar(&demo, "demo", false, "begin with the demo doorbell")
	return cmd
}

// writeNew makes a file, and touches none that is there, links included.
func writeNew(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// alreadyThere: init writes over nothing.
type alreadyThere struct{ path string }

func (e *alreadyThere) Error() string { return "init: " + e.path + " is already there" }

// Code for `porchlight explain`.
func (e *alreadyThere) Code() string { return "E-CLI-EXISTS" }

// Hint says how to go on.
func (e *alreadyThere) Hint() string {
	return "nothing was written; name another folder with --dir, or edit that file"
}
