package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func apiCommand(g *globals) *cobra.Command {
	var data, file string
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Ask the hub's API anything",
		Long: "Ask the hub's API anything, as its owner, and print the answer as it comes.\n" +
			"The routes are in docs/openapi.json and at /api/v1/openapi.json. A refusal is printed too; then the exit code is 1.",
		Example: "  porchlight api GET /cameras\n" +
			"  porchlight api POST /cameras/front_door/ring -d '{\"test\":true}'\n" +
			"  porchlight api GET /events/stream",
		Args: argsBetween(2, 2),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			method, path := strings.ToUpper(args[0]), args[1]
			methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
			switch {
			case !slices.Contains(methods, method):
				return usageError{fmt.Errorf("api: METHOD is one of %s", strings.Join(methods, ", "))}
			case !strings.HasPrefix(path, "/"):
				return usageError{errors.New("api: PATH begins with /, as /cameras")}
			}
			body, err := apiBody(cmd, data)
			if err != nil {
				return err
			}
			res, err := c.Do(ctx, method, path, body)
			var p *api.Problem
			if errors.As(err, &p) {
				return errors.Join(saidError{err}, printJSON(cmd.OutOrStdout(), p))
			}
			if err != nil {
				return err
			}
			defer res.Body.Close()
			return printAnswer(cmd, res, file)
		}),
	}
	cmd.Flags().StringVarP(&data, "data", "d", "", "the body, JSON; @FILE reads it from a file, - from standard input")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the answer to a file")
	return cmd
}

// apiBody is nil where there is none.
func apiBody(cmd *cobra.Command, data string) (io.Reader, error) {
	var b []byte
	var err error
	name, isFile := strings.CutPrefix(data, "@")
	switch {
	case data == "":
		return nil, nil
	case data == "-":
		b, err = io.ReadAll(cmd.InOrStdin())
	case isFile:
		b, err = os.ReadFile(name)
	default:
		b = []byte(data)
	}
	if err != nil {
		return nil, fmt.Errorf("api: body: %w", err)
	}
	if !json.Valid(b) {
		return nil, usageError{errors.New("api: the body is not JSON")}
	}
	return bytes.NewReader(b), nil
}

// printAnswer as it comes: a stream has no end. Pictures do not go to a terminal.
func printAnswer(cmd *cobra.Command, res *http.Response, file string) error {
	if file != "" {
		to, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("api: answer: %w", err)
		}
		_, err = io.Copy(to, res.Body)
		if err := errors.Join(err, to.Close()); err != nil {
			return fmt.Errorf("api: answer: %w", err)
		}
		return nil
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "" || kind == "application/json" || strings.HasPrefix(kind, "text/") {
		_, err := io.Copy(cmd.OutOrStdout(), res.Body)
		return err
	}
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return usageError{fmt.Errorf("api: the answer is %s, which is nothing for a terminal: add -o FILE", kind)}
	}
	_, err := io.Copy(os.Stdout, res.Body)
	return err
}
