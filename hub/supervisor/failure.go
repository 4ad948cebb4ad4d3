package supervisor

import "fmt"

// Failure is why a plugin does not run, in words for the owner.
type Failure struct {
	code, reason, fix string
	blocked           bool // starting it again would not help
	cause             error
}

func (f *Failure) Error() string { return f.reason }

// Code is the E-PLUGIN-… that `porchlight explain` knows.
func (f *Failure) Code() string { return f.code }

// Hint says what mends it.
func (f *Failure) Hint() string { return f.fix }

func (f *Failure) Unwrap() error { return f.cause }

func fail(code, fix, reason string, args ...any) *Failure {
	return &Failure{code: code, fix: fix, reason: fmt.Sprintf(reason, args...)}
}

func (f *Failure) block() *Failure {
	f.blocked = true
	return f
}

func (f *Failure) because(err error) *Failure {
	f.cause = err
	return f
}

// The codes of this room; hub/doctor has the text of each.
const (
	codeNotFound      = "E-PLUGIN-NOT-FOUND"
	codeNotExecutable = "E-PLUGIN-NOT-EXECUTABLE"
	codeArch          = "E-PLUGIN-WRONG-ARCH"
	codeLoader        = "E-PLUGIN-LOADER"
	codeHash          = "E-PLUGIN-HASH"
	codeLaunch        = "E-PLUGIN-LAUNCH"
	codeSandbox       = "E-PLUGIN-SANDBOX"
	codeStart         = "E-PLUGIN-START"
	codeNoise         = "E-PLUGIN-NOISE"
	codeHandshake     = "E-PLUGIN-HANDSHAKE"
	codeEarlyExit     = "E-PLUGIN-EARLY-EXIT"
	codeProtocol      = "E-PLUGIN-PROTOCOL"
	codeAddress       = "E-PLUGIN-ADDRESS"
	codeConnect       = "E-PLUGIN-CONNECT"
	codeDescribe      = "E-PLUGIN-DESCRIBE"
	codePermission    = "E-PLUGIN-PERMISSION"
	codeMissing       = "E-PLUGIN-MISSING"
	codeConfig        = "E-PLUGIN-CONFIG"
	codeConfigure     = "E-PLUGIN-CONFIGURE"
	codeCrash         = "E-PLUGIN-CRASH"
	codeHang          = "E-PLUGIN-HANG"
	codeLink          = "E-PLUGIN-LINK"
	codeMessage       = "E-PLUGIN-MESSAGE"
	codeHealth        = "E-PLUGIN-HEALTH"
	codeMemory        = "E-PLUGIN-MEMORY"
	codeCPU           = "E-PLUGIN-CPU"
	codeSlow          = "E-PLUGIN-SLOW"
	codeNotRunning    = "E-PLUGIN-NOT-RUNNING"
	codeUnknown       = "E-PLUGIN-UNKNOWN"
)
