package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{fmt.Errorf("tail: %w", context.Canceled), 0},
		{errors.New("disk on fire"), 1},
		{fmt.Errorf("ring: %w", usageError{errors.New("which doorbell?")}), 2},
		{saidError{config.AsError([]config.Problem{{Severity: config.Error, Code: "E-CFG-TYPE"}})}, 3},
		{&client.NotRunning{DataDir: "/nowhere"}, 4},
		{fmt.Errorf("admin socket: %w", fs.ErrPermission), 5},
		{&notAllowed{"/data", fs.ErrPermission}, 5},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// What makes no sense is told before anything is done.
func TestUsage(t *testing.T) {
	for _, line := range []string{
		"rnig", "--loud", "run now", "run --demo --config x.yaml", "ring one two", "ring --count", "events trace",
		"events trace a b", "events ls --since yesterday", "plugins restart", "plugins logs", "config validate a b",
		"config show --defaults --sources", "explain E-NO", "version now", "setup-link now", "--config", "homekit qr a b", "homekit status x", "homekit unpair", "homekit reset a b",
	} {
		root := newRoot()
		root.SetArgs(strings.Fields(line))
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		err := root.ExecuteContext(t.Context())
		if got := exitCode(err); got != exitUsage {
			t.Errorf("porchlight %s: exit code %d, want %d: %v", line, got, exitUsage, err)
		}
	}
}

// Every command says what it does.
func TestEveryCommandIsDescribed(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q is no description", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestErrorsAreExplained(t *testing.T) {
	var b bytes.Buffer
	explainError(&b, fmt.Errorf("ring: %w", &client.NotRunning{DataDir: "/data"}))
	for _, want := range []string{"porchlight: ring: no hub runs on /data\n", "porchlight run", "[E-CLI-NOT-RUNNING: porchlight explain E-CLI-NOT-RUNNING]"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
}

func TestChooseDoorbell(t *testing.T) {
	bell := func(id string) api.Camera { return api.Camera{ID: id, Kind: "doorbell"} }
	yard := api.Camera{ID: "yard", Kind: "camera"}
	for _, c := range []struct {
		cameras []api.Camera
		args    []string
		want    string
		code    int
	}{
		{[]api.Camera{yard, bell("front")}, nil, "front", exitOK},
		{[]api.Camera{yard, bell("front"), bell("gate")}, nil, "", exitUsage},
		{[]api.Camera{yard}, nil, "", exitRuntime},
		{[]api.Camera{yard}, []string{"gate"}, "gate", exitOK}, // the hub knows better
	} {
		got, err := chooseDoorbell(c.cameras, c.args)
		if got != c.want || exitCode(err) != c.code {
			t.Errorf("%v %v: %q, %v", c.cameras, c.args, got, err)
		}
	}
}
