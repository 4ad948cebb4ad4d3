package pull

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// Fault is why a stream does not come where the connection itself has not said so.
type Fault struct{ code, reason, fix string }

func (f *Fault) Error() string { return f.reason }

// Code and Hint are for people.
func (f *Fault) Code() string { return f.code }
func (f *Fault) Hint() string { return f.fix }

// Codes of Fault.
const (
	codeNoKey = "E-PULL-NO-KEY"
	codeQuiet = "E-PULL-QUIET"
	codeStuck = "E-PULL-STUCK"
	codePanic = "E-PULL-PANIC"
	codeEnded = "E-PULL-ENDED"
)

// Why a connection is cut that has not failed.
var (
	errGone     = errors.New("the stream is no longer pulled")
	errReplaced = errors.New("the camera has another address or login now")
	errUnwanted = errors.New("nobody wants the stream")
)

func noKey(after time.Duration) error {
	return &Fault{codeNoKey, fmt.Sprintf("no key frame for %s", after.Round(time.Second)),
		"set the key frame interval (I-frame, GOP) of the camera to 2 seconds, and switch smart codecs (H.264+, H.265+) off"}
}

func noUnit(after time.Duration) error {
	return &Fault{codeQuiet, fmt.Sprintf("the connection is open, but nothing has come for %s", after.Round(time.Second)),
		"restart the camera if this comes again and again; if it stands far from its access point, mend the Wi-Fi"}
}

func stuck() error {
	return &Fault{codeStuck, fmt.Sprintf("the camera has not said what it sends within %s", dialLimit),
		"restart the camera; it may serve too many clients at once"}
}

// panicked keeps the place, for the log, out of what people read.
func panicked(v any) (place string, err error) {
	return fmt.Sprintf("%v\n%s", v, debug.Stack()), &Fault{codePanic, "the hub stumbled over what this camera sends",
		"save the hub's log and report it; the other cameras are not touched"}
}

func ended() error {
	return &Fault{codeEnded, "the camera has ended the stream", "nothing, if it comes back by itself; else restart the camera"}
}

// told is what is said of an error: its code and hint where it has them.
func told(err error) (code, reason, fix string) {
	if c, ok := errors.AsType[interface {
		error
		Code() string
	}](err); ok {
		code = c.Code()
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		fix = h.Hint()
	}
	// One line, however much of what the camera said is in it.
	reason = strings.Join(strings.Fields(err.Error()), " ")
	const most = 300
	if len(reason) > most {
		reason = strings.ToValidUTF8(reason[:most], "") + "…"
	}
	return code, reason, fix
}

// kindOf a fault of the connection; empty: of ours.
func kindOf(err error) rtsp.Kind {
	if f, ok := errors.AsType[*rtsp.Fault](err); ok {
		return f.Kind
	}
	return ""
}
