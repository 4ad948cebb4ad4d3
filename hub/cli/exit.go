package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/porchlight-hub/porchlight/config"
)

// The exit codes of every command.
const (
	exitOK           = 0
	exitRuntime      = 1
	exitUsage        = 2
	exitConfig       = 3
	exitNotReachable = 4
	exitPermission   = 5
)

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// exitCode decides by what the error says of itself.
func exitCode(err error) int {
	var usage usageError
	var invalid *config.Invalid
	var coded interface{ Code() string }
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &invalid):
		return exitConfig
	case errors.Is(err, fs.ErrPermission), errors.As(err, &coded) && refusal(coded.Code()):
		return exitPermission
	case errors.As(err, &coded) && coded.Code() == "E-CLI-NOT-RUNNING":
		return exitNotReachable
	}
	return exitRuntime
}

// refusal tells whether a code says that somebody may not.
func refusal(code string) bool {
	switch code {
	case "E-ACCESS-FORBIDDEN", "E-TOKEN-WRONG", "E-TOKEN-EXPIRED", "E-TOKEN-SCOPE", "E-TOKEN-CAMERAS", "E-TOKEN-PERSON":
		return true
	}
	return false
}

// notAllowed: the hub's socket is there for its own user only.
type notAllowed struct {
	dir string
	err error
}

func (e *notAllowed) Error() string { return "no permission to reach the hub of " + e.dir }
func (e *notAllowed) Unwrap() error { return e.err }

// Code for `porchlight explain`.
func (e *notAllowed) Code() string { return "E-CLI-PERMISSION" }

// Hint says how to mend it.
func (e *notAllowed) Hint() string {
	return "run the command as the user that the hub runs as, for example with sudo -u"
}

// explain writes an error for a person: what, how to mend it, where to read more.
func explainError(w io.Writer, err error) {
	w = plain{w}
	fmt.Fprintf(w, "porchlight: %v\n", err)
	var hint interface{ Hint() string }
	if errors.As(err, &hint) && hint.Hint() != "" {
		fmt.Fprintf(w, "  %s\n", hint.Hint())
	}
	var coded interface{ Code() string }
	if errors.As(err, &coded) && coded.Code() != "" {
		fmt.Fprintf(w, "  [%s: porchlight explain %[1]s]\n", coded.Code())
	}
}
