package sdk

import (
	"errors"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// The kinds of answers that are not a success. Compare with errors.Is; wrap one
// (fmt.Errorf("relay 2: %w", sdk.ErrNotFound)) to give the hub a typed answer.
var (
	ErrNotYet      = av.ErrNotYet // the hub of this version cannot do it
	ErrInvalid     = errors.New("invalid")
	ErrDenied      = errors.New("not permitted")
	ErrNotFound    = errors.New("not found")
	ErrExhausted   = errors.New("over the limit")
	ErrUnavailable = errors.New("unavailable")
	ErrDeadline    = errors.New("too late")
	ErrBusy        = errors.New("held by somebody else")
	ErrUnsupported = errors.New("the device cannot do it")
	// ErrRestart, from Reconfigure: start the plugin anew with the new config.
	ErrRestart = errors.New("restart needed")
)

// Error is an answer of the hub that is not a success.
type Error struct {
	Call       string // what was asked: publish, kv get, …
	Kind       error  // one of the sentinels above, or nil
	Message    string // the hub's words: what, where and how to mend it
	Explain    string // E-… for `porchlight explain`; may be empty
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	kind := "refused"
	if e.Kind != nil {
		kind = e.Kind.Error()
	}
	if e.Message == "" {
		return fmt.Sprintf("%s: %s", e.Call, kind)
	}
	return fmt.Sprintf("%s: %s: %s", e.Call, kind, e.Message)
}

// Is makes errors.Is(err, ErrDenied) and the like work.
func (e *Error) Is(target error) bool { return e.Kind != nil && target == e.Kind }

// Code is the hub's code of the error, empty where it has none.
func (e *Error) Code() string { return e.Explain }
