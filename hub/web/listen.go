package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Error is a reason not to listen, with words for the person who starts the hub.
type Error struct {
	code, text, hint string
	cause            error
}

func (e *Error) Error() string { return e.text }

// Code names the error.
func (e *Error) Code() string { return e.code }

// Hint says how to mend it.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives what the system said.
func (e *Error) Unwrap() error { return e.cause }

// Codes of Error.
const (
	CodePortTaken   = "E-WEB-PORT-TAKEN"
	CodeNotLoopback = "E-WEB-NOT-LOOPBACK"
	CodeListen      = "E-WEB-LISTEN"
)

// Listen opens the address of hub.listen. beyond: another one than loopback is allowed,
// because the hub speaks TLS or because the owner accepts that it does not.
func Listen(ctx context.Context, addr string, beyond bool) (net.Listener, error) {
	if !beyond && !isLoopback(addr) {
		return nil, notLoopback(addr)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		return ln, nil
	}
	_, port, _ := net.SplitHostPort(addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		e := &Error{code: CodePortTaken, text: fmt.Sprintf("port %s is taken by another program", port), cause: err,
			hint: "Stop that program, or set hub.listen (or PORCHLIGHT_LISTEN) to another port."}
		if pid, name := portHolder(addr); pid != 0 {
			e.text = fmt.Sprintf("port %s is taken by %s (pid %d)", port, name, pid)
			if name == "porchlight" {
				e.hint = "A hub runs already. Stop it, or set hub.listen to another port."
			}
		}
		return nil, e
	}
	e := &Error{code: CodeListen, text: fmt.Sprintf("cannot listen on %s: %v", addr, errors.Unwrap(err)), cause: err,
		hint: "hub.listen is an address of this machine and a free port, as 127.0.0.1:8480."}
	if errors.Is(err, syscall.EACCES) {
		e.hint = "Ports below 1024 need a privilege; 127.0.0.1:8480 does not."
	}
	return nil, e
}

func notLoopback(addr string) *Error {
	return &Error{code: CodeNotLoopback, text: fmt.Sprintf("%s can be reached from other machines, and hub.tls is off", addr),
		hint: "Set hub.tls: {mode: local-ca}, or listen on 127.0.0.1:8480, or set hub.insecure: true if you trust everybody on your network."}
}

// isLoopback tells whether the address, with or without port, can be reached from this
// machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
