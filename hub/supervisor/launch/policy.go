package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// The descriptors of a launcher, beside 0 to 2. The hub passes them in this order.
const (
	PolicyFD = 3 // a socket: the policy comes in, a failure goes out, end of file means "became the plugin"
	TargetFD = 4 // what is to be executed
	HubFD    = 5 // the hub's own binary, from which the launcher itself was started
)

// Timeout of the launcher's whole work. It takes about a millisecond; what takes
// longer hangs in a layer.
const Timeout = 2 * time.Second

// maxPolicy bounds what the launcher reads: an environment with a certificate is about 3 KiB.
const maxPolicy = 1 << 20

// Policy is all that the launcher does to itself before it becomes the plugin.
type Policy struct {
	Args []string `json:"args"` // argv of the plugin, the name first
	Env  []string `json:"env"`  // the whole environment, nothing is inherited
	Dir  string   `json:"dir"`  // working directory
	// Path is used only where a descriptor cannot be executed (not Linux).
	Path string `json:"path,omitempty"`
	// Script: the target names an interpreter, which reads it through the
	// descriptor, so that one stays open.
	Script bool   `json:"script,omitempty"`
	Limits Limits `json:"limits"`
}

// Limits of the process, as setrlimit takes them. Zero: not limited, except Core,
// which is always 0.
type Limits struct {
	Files    uint64 `json:"files"`     // RLIMIT_NOFILE, count
	Data     uint64 `json:"data"`      // RLIMIT_DATA, bytes
	FileSize uint64 `json:"file_size"` // RLIMIT_FSIZE, bytes of one file
}

// Error is a layer that could not be applied; the plugin was not started.
type Error struct {
	Layer string        `json:"layer"`
	Cause string        `json:"cause"`
	Errno syscall.Errno `json:"errno,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("launcher: %s: %s", e.Layer, e.Cause) }

// Unwrap gives the kernel's answer, so that errors.Is(err, syscall.ENOEXEC) works.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

func failure(layer string, err error) *Error {
	e := &Error{Layer: layer, Cause: err.Error()}
	_ = errors.As(err, &e.Errno)
	return e
}

// Hand sends the policy and waits for the launcher to become the plugin. sock is
// the hub's end of PolicyFD; its deadline bounds both. nil: the plugin runs.
func Hand(sock interface {
	io.ReadWriter
	CloseWrite() error
}, p Policy) error {
	if err := json.NewEncoder(sock).Encode(p); err != nil {
		return failure("policy", err)
	}
	if err := sock.CloseWrite(); err != nil {
		return failure("policy", err)
	}
	answer, err := io.ReadAll(io.LimitReader(sock, 64<<10))
	switch {
	case err != nil && len(answer) == 0:
		return failure("answer", err)
	case len(answer) == 0:
		return nil
	}
	e := &Error{}
	if json.Unmarshal(answer, e) != nil || e.Layer == "" {
		return &Error{Layer: "answer", Cause: fmt.Sprintf("%.200q", answer)}
	}
	return e
}

// take reads the policy and refuses one that could not work.
func take(r io.Reader) (Policy, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxPolicy))
	if err != nil {
		return Policy{}, err
	}
	var p Policy
	if err := json.Unmarshal(raw, &p); err != nil {
		return Policy{}, err
	}
	if len(p.Args) == 0 {
		return Policy{}, errors.New("no arguments")
	}
	return p, nil
}
