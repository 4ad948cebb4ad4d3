package certs

// Error is a reason why there is no good certificate, with words for the owner.
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
	CodeFiles     = "E-TLS-FILES"     // the owner's files cannot be read, or hold no certificate
	CodePair      = "E-TLS-PAIR"      // the key is another certificate's
	CodeExpired   = "E-TLS-EXPIRED"   // the owner's certificate is over, or not begun
	CodeKeyMode   = "E-TLS-KEY-MODE"  // others may read a private key
	CodeAuthority = "E-TLS-AUTHORITY" // the authority's files are not whole
	CodeWrite     = "E-TLS-WRITE"     // the folder cannot be written
	CodeClock     = "E-TLS-CLOCK"     // the clock is before any time that can be
	CodeNames     = "E-TLS-NAMES"     // a name that the certificate cannot have
)
