// Package fault is why a plugin does not run, in words for the owner: a code that
// `porchlight explain` knows, what is wrong, and what mends it. It decides nothing.
// Read this file; hub/doctor has a text for each code.
package fault

import "fmt"

// The codes of hub/supervisor.
const (
	NotFound      = "E-PLUGIN-NOT-FOUND"
	NotExecutable = "E-PLUGIN-NOT-EXECUTABLE"
	WrongArch     = "E-PLUGIN-WRONG-ARCH"
	Loader        = "E-PLUGIN-LOADER"
	Hash          = "E-PLUGIN-HASH"
	Launch        = "E-PLUGIN-LAUNCH"
	Sandbox       = "E-PLUGIN-SANDBOX"
	Start         = "E-PLUGIN-START"
	Noise         = "E-PLUGIN-NOISE"
	Handshake     = "E-PLUGIN-HANDSHAKE"
	EarlyExit     = "E-PLUGIN-EARLY-EXIT"
	Protocol      = "E-PLUGIN-PROTOCOL"
	Address       = "E-PLUGIN-ADDRESS"
	Connect       = "E-PLUGIN-CONNECT"
	Describe      = "E-PLUGIN-DESCRIBE"
	Permission    = "E-PLUGIN-PERMISSION"
	Missing       = "E-PLUGIN-MISSING"
	Config        = "E-PLUGIN-CONFIG"
	Configure     = "E-PLUGIN-CONFIGURE"
	Crash         = "E-PLUGIN-CRASH"
	Hang          = "E-PLUGIN-HANG"
	Link          = "E-PLUGIN-LINK"
	Message       = "E-PLUGIN-MESSAGE"
	Health        = "E-PLUGIN-HEALTH"
	Memory        = "E-PLUGIN-MEMORY"
	CPU           = "E-PLUGIN-CPU"
	Slow          = "E-PLUGIN-SLOW"
	NotRunning    = "E-PLUGIN-NOT-RUNNING"
	Unknown       = "E-PLUGIN-UNKNOWN"
)

// Failure is one reason. It is an error with Code and Hint.
type Failure struct {
	ID      string // one of the codes above, or one that a permission check gave
	Reason  string
	Fix     string
	Blocked bool // starting it again would not help
	cause   error
}

// New makes a failure; reason is a format.
func New(code, fix, reason string, args ...any) *Failure {
	return &Failure{ID: code, Fix: fix, Reason: fmt.Sprintf(reason, args...)}
}

func (f *Failure) Error() string { return f.Reason }

// Code is the E-PLUGIN-… of `porchlight explain`.
func (f *Failure) Code() string { return f.ID }

// Hint says what mends it.
func (f *Failure) Hint() string { return f.Fix }

func (f *Failure) Unwrap() error { return f.cause }

// Block marks that another start would not help.
func (f *Failure) Block() *Failure {
	f.Blocked = true
	return f
}

// Because keeps the error below.
func (f *Failure) Because(err error) *Failure {
	f.cause = err
	return f
}
