package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/porchlight-hub/porchlight/config"
)

// maxSecret bounds one value, in bytes.
const maxSecret = 64 << 10

func secretsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Keep passwords out of the YAML: secrets.yaml beside it", Args: noArgs}
	cmd.AddCommand(secretsSet(g), secretsList(g), secretsRemove(g))
	return cmd
}

// secretsFile is secrets.yaml beside the config that is meant, where links lead.
func (g *globals) secretsFile() (path string, src []byte, err error) {
	file, _ := g.configFile()
	path = filepath.Join(filepath.Dir(file), config.SecretsName)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	src, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return path, src, err
}

func secretsSet(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME",
		Short: "Keep a secret; its value is asked for, or read from a pipe, and never an argument",
		Args:  argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, src, err := g.secretsFile()
			if err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			if _, err := config.SetSecret(src, args[0], "x"); err != nil {
				return secretError(err) // before a value is asked for
			}
			value, err := askSecret(cmd.InOrStdin(), cmd.ErrOrStderr(), args[0])
			if err != nil {
				return err
			}
			next, err := config.SetSecret(src, args[0], value)
			if err != nil {
				return secretError(err)
			}
			if err := config.ReplaceFile(path, next); err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: kept in %s; name it as secret://%s\n", args[0], path, args[0])
			return nil
		},
	}
}

func secretError(err error) error {
	if errors.Is(err, config.ErrSecretName) {
		return usageError{err}
	}
	return fmt.Errorf("secrets: %w", err)
}

// askSecret reads a value without showing it: from a terminal one line, from a pipe
// all of it but the last line end.
func askSecret(in io.Reader, out io.Writer, name string) (string, error) {
	var value string
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(out, "Value of %s (it is not shown): ", name)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(out)
		if err != nil {
			return "", fmt.Errorf("secrets: read the value: %w", err)
		}
		value = string(b)
	} else {
		b, err := io.ReadAll(io.LimitReader(bufio.NewReader(in), maxSecret+1))
		if err != nil {
			return "", fmt.Errorf("secrets: read the value: %w", err)
		}
		value = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	}
	if value == "" || len(value) > maxSecret {
		return "", usageError{errors.New("secrets: the value is empty or longer than 64 KiB; nothing was changed")}
	}
	return value, nil
}

// secret is one line of secrets ls.
type secret struct {
	Name   string   `json:"name"`
	UsedBy []string `json:"used_by"` // as camera front_door
}

func secretsList(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ls",
		Short: "List the names of the secrets and who uses them; never a value",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, src, err := g.secretsFile()
			if err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			names, err := config.SecretsIn(src)
			if err != nil {
				return secretError(err)
			}
			used := g.secretUse()
			list := []secret{}
			for _, name := range names {
				list = append(list, secret{name, append([]string{}, used[name]...)})
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			for _, s := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "%-24s %s\n", s.Name, strings.Join(s.UsedBy, ", "))
			}
			return nil
		},
	})
}

func secretsRemove(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME",
		Short: "Forget a secret",
		Args:  argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, src, err := g.secretsFile()
			if err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			next, err := config.RemoveSecret(src, args[0])
			if err != nil {
				return secretError(err)
			}
			if bytes.Equal(next, src) {
				return usageError{fmt.Errorf("no secret is called %q; porchlight secrets ls lists them", args[0])}
			}
			used := g.secretUse()[args[0]] // before it is gone
			if err := config.ReplaceFile(path, next); err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: forgotten\n", args[0])
			if len(used) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s still names it: until that is mended the config is not valid, and the hub goes on with the last one that was\n", strings.Join(used, ", "))
			}
			return nil
		},
	}
}

// secretUse tells by secret which entries of the config name it, as far as the file can
// be read.
func (g *globals) secretUse() map[string][]string {
	if file, ok := g.configFile(); ok {
		if c, _ := config.Load(file, loadOptions()); c != nil {
			return c.SecretUse()
		}
	}
	return nil
}
