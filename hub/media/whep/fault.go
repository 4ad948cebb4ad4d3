package whep

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/media"
)

// Fault is an error for people: a code that the doctor has a text for, and what to do.
type Fault struct {
	code, message, hint string
	status              int // of HTTP, where one is answered with it
	cause               error
}

func (e *Fault) Error() string {
	if e.cause != nil {
		return e.message + ": " + e.cause.Error()
	}
	return e.message
}

// Code names the fault.
func (e *Fault) Code() string { return e.code }

// Hint says how to mend it.
func (e *Fault) Hint() string { return e.hint }

// Unwrap gives the cause.
func (e *Fault) Unwrap() error { return e.cause }

// Codes.
const (
	CodePort      = "E-WHEP-PORT"
	CodeAddress   = "E-WHEP-NO-ADDRESS"
	CodeOff       = "E-WHEP-OFF"
	CodeOffer     = "E-WHEP-OFFER"
	CodeCodec     = "E-WHEP-CODEC"
	CodeOffline   = "E-WHEP-OFFLINE"
	CodeFull      = "E-WHEP-FULL"
	CodeSession   = "E-WHEP-NO-SESSION"
	CodeCondition = "E-WHEP-CONDITION"
	CodeSpeech    = "E-WHEP-NO-SPEECH"
)

func portFault(port int, cause error) *Fault {
	return &Fault{code: CodePort, status: http.StatusServiceUnavailable, cause: cause,
		message: fmt.Sprintf("webrtc: port %d cannot be used", port),
		hint:    "another program, or another hub, has it: end that one, or set hub.webrtc.port; the hub tries again every 5 s"}
}

func addressFault() *Fault {
	return &Fault{code: CodeAddress, status: http.StatusServiceUnavailable,
		message: "webrtc: this machine has no address that a browser could reach",
		hint:    "connect it to the network, or name its interfaces in hub.webrtc.interfaces; until then the page shows pictures over its own connection"}
}

func offFault(why string) *Fault {
	return &Fault{code: CodeOff, status: http.StatusServiceUnavailable, message: "webrtc: " + why,
		hint: "set hub.webrtc.enabled to true; the page shows pictures over its own connection without it"}
}

func offerFault(cause error) *Fault {
	return &Fault{code: CodeOffer, status: http.StatusBadRequest, message: "webrtc: this is no offer that can be answered", cause: cause,
		hint: "send the SDP of RTCPeerConnection.createOffer with a video or audio section to receive"}
}

// codecFault keeps the code and hint of what would have converted the stream.
func codecFault(cause error) *Fault {
	f := &Fault{code: CodeCodec, status: http.StatusUnsupportedMediaType, message: "webrtc: the stream has no form that this browser shows", cause: cause,
		hint: "look at the camera's other stream, or set the camera to H.264 without B-frames"}
	var coded interface {
		Code() string
		Hint() string
	}
	var unfit *media.Unfit
	if errors.As(cause, &coded) && !errors.As(cause, &unfit) {
		f.code, f.hint = coded.Code(), coded.Hint()
	}
	return f
}

func offlineFault(why string) *Fault {
	return &Fault{code: CodeOffline, status: http.StatusServiceUnavailable, message: "webrtc: the camera sends nothing: " + why,
		hint: "look at the camera's card; the page tries again"}
}

func fullFault(n int) *Fault {
	return &Fault{code: CodeFull, status: http.StatusServiceUnavailable, message: fmt.Sprintf("webrtc: %d sessions are open already", n),
		hint: "close pages that are not looked at"}
}

func sessionFault() *Fault {
	return &Fault{code: CodeSession, status: http.StatusNotFound, message: "webrtc: there is no such session", hint: "post a new offer"}
}

func speechFault() *Fault {
	return &Fault{code: CodeSpeech, status: http.StatusConflict, message: "webrtc: this session has no sound from the page",
		hint: "offer an audio section to send and receive, as somebody who may talk"}
}

func conditionFault(status int, message string) *Fault {
	return &Fault{code: CodeCondition, status: status, message: "webrtc: " + message,
		hint: "send If-Match with the session's ETag for candidates, or * to restart ICE"}
}

// problem is an error as the API tells it (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// refuse answers with f.
func refuse(w http.ResponseWriter, f *Fault) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(f.status)
	// A page that has gone is not told.
	_ = json.NewEncoder(w).Encode(problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status,
		Code: f.code, Detail: f.Error(), Hint: f.hint})
}
