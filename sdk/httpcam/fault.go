package httpcam

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// Kind says what went wrong, for callers that decide by it.
type Kind string

// Kinds of faults. After Login the next try is best minutes away: devices lock out.
const (
	BadURL      Kind = "bad url"
	Unreachable Kind = "unreachable"
	LoginNeeded Kind = "login"       // refused, or asked for and not given
	NotFound    Kind = "not found"   // no such path
	Busy        Kind = "busy"        // it serves others, or too many
	Refused     Kind = "refused"     // another status than 200
	Redirected  Kind = "redirected"  // to another host, or too often
	Certificate Kind = "certificate" // not to be trusted, or not the pinned one
	NoPictures  Kind = "no pictures" // it answers, but not with pictures
	Silent      Kind = "silent"      // the answer is open, and nothing comes
	Ended       Kind = "ended"       // the peer closed an endless answer
	Oversized   Kind = "oversized"
)

// Fault is what every error of this package is, but for the context's own and those
// of the caller's functions.
type Fault struct {
	Kind    Kind
	Address string // host and port; never more of the URL
	Status  int    // of the answer; 0: none came
	Reason  string // for people
	Fix     string
	// Fingerprint that the peer showed, with Certificate; empty: not known.
	Fingerprint string
	cause       error
}

func (f *Fault) Error() string {
	if f.Address == "" {
		return "http: " + f.Reason
	}
	return "http " + f.Address + ": " + f.Reason
}

// Hint says how to mend it.
func (f *Fault) Hint() string { return f.Fix }

// Unwrap gives what lies below.
func (f *Fault) Unwrap() error { return f.cause }

// KindOf an error; empty where it is no Fault.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}

// Fingerprint of a certificate as the options take it.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Explain makes a Fault of what a Client's request without an answer ended with; the
// cause of ctx is given as it is. The text of err quotes the URL, so only what lies
// below it is looked at.
func Explain(ctx context.Context, address string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var own *Fault
	if errors.As(err, &own) {
		return own
	}
	f := &Fault{Kind: Unreachable, Address: address, cause: bare(err)}
	var untrusted *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &untrusted):
		f.Kind, f.Reason = Certificate, "its certificate is not to be trusted"
		f.Fix = "devices make their own certificates; if this is yours, pin the one that it shows"
		if len(untrusted.UnverifiedCertificates) > 0 {
			f.Fingerprint = Fingerprint(untrusted.UnverifiedCertificates[0].Raw)
			f.Fix += ": fingerprint: " + f.Fingerprint
		}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		f.Kind, f.Reason, f.Fix = Certificate, "it speaks no TLS there", "use http:// instead of https://, or another port"
	case errors.As(err, &name):
		f.Reason, f.Fix = "its name is not known", "write the IP address, or look whether the name is right"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Reason, f.Fix = "nothing listens there", "look whether the port is right and HTTP is switched on in the device"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		f.Reason, f.Fix = "there is no way to it", "look whether it has power and network, and whether its address changed"
	case errors.As(err, &timeout) && timeout.Timeout():
		f.Reason, f.Fix = "no answer in time", "look whether it has power and network, and whether its address changed"
	default:
		f.Reason, f.Fix = "the connection broke before an answer came", "look whether the port is right, and whether it is http or https there"
	}
	return f
}

// bare takes the URL off.
func bare(err error) error {
	for {
		var u interface{ Unwrap() error }
		if _, plain := err.(*net.OpError); plain || !errors.As(err, &u) {
			return err
		}
		inner := u.Unwrap()
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Answered makes a Fault of a status that is no success.
func Answered(address string, status int, login Login) *Fault {
	f := &Fault{Kind: Refused, Address: address, Status: status, Reason: fmt.Sprintf("answered %d %s", status, http.StatusText(status)), Fix: "look whether the path is right"}
	switch status {
	case http.StatusUnauthorized:
		f.Kind = LoginNeeded
		f.Reason, f.Fix = "user name or password is wrong", "correct username and password; it is not tried again for some minutes, because devices lock out"
		if login == (Login{}) {
			f.Reason, f.Fix = "it asks for a login", "give username and password"
		}
	case http.StatusForbidden:
		f.Kind, f.Fix = LoginNeeded, "give this user the right to see live pictures, or look whether the device has locked out"
	case http.StatusNotFound, http.StatusGone:
		f.Kind, f.Fix = NotFound, "look whether the path is right; a preset knows those of many brands"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, 509: // 509 is DoorBird's word for too many clients
		f.Kind, f.Fix = Busy, "it serves as many as it can; close other viewers"
	}
	return f
}
