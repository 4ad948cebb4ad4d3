package snapshot

import (
	"errors"
	"fmt"
)

var (
	// ErrNone: the camera's plugin makes no pictures.
	ErrNone = errors.New("the plugin makes no snapshots")

	errNoURL     = errors.New("it has no snapshot URL")
	errNoStream  = errors.New("no stream of it is live")
	errSleeps    = errors.New("it sleeps, and is not woken for a picture")
	errNoDecoder = errors.New("nothing makes pictures of video")
)

// ways is how each way to a picture failed.
type ways struct{ url, plugin, stream error }

func (w *ways) Error() string {
	s := "stream: " + w.stream.Error()
	if !errors.Is(w.plugin, ErrNone) {
		s = "plugin: " + w.plugin.Error() + "; " + s
	}
	if !errors.Is(w.url, errNoURL) {
		s = "snapshot URL: " + w.url.Error() + "; " + s
	}
	return s
}

func (w *ways) Unwrap() []error { return []error{w.url, w.plugin, w.stream} }

// coded is an error for people.
type coded interface {
	error
	Code() string
	Hint() string
}

// NoPicture says that there is no way to a picture.
type NoPicture struct {
	Camera string
	Cause  error
}

func (e *NoPicture) Error() string {
	return fmt.Sprintf("camera %s: snapshot: no picture: %v", e.Camera, e.Cause)
}
func (e *NoPicture) Unwrap() error { return e.Cause }

// Code names the fault that is worth mending: of a snapshot URL that was given, else of
// the video that cannot be decoded, else that nothing has come.
func (e *NoPicture) Code() string {
	code, _ := e.forPeople()
	return code
}

// Hint says how.
func (e *NoPicture) Hint() string {
	_, hint := e.forPeople()
	return hint
}

func (e *NoPicture) forPeople() (code, hint string) {
	var w *ways
	if !errors.As(e.Cause, &w) {
		w = &ways{url: errNoURL, plugin: ErrNone, stream: e.Cause}
	}
	var f *Fault
	if errors.As(w.url, &f) {
		return f.Code(), f.Hint()
	}
	var c coded
	switch {
	case errors.As(w.stream, &c) && c.Code() == "E-CONV-NO-FFMPEG":
		return "E-SNAP-NO-DECODER", c.Hint() + "; or give the camera a snapshot URL"
	case errors.As(w.stream, &c):
		return c.Code(), c.Hint()
	case errors.Is(w.stream, errNoDecoder):
		return "E-SNAP-NO-DECODER", "give the camera a snapshot URL, or install ffmpeg (sudo apt install ffmpeg)"
	case errors.As(w.plugin, &c):
		return c.Code(), c.Hint()
	}
	return "E-SNAP-NOTHING-YET", "the camera's page says whether its source is live, and what to do where it is not"
}

// BadRequest is a size that no picture can have.
type BadRequest struct{ What string }

func (e *BadRequest) Error() string { return "snapshot: " + e.What }

// Fault says why a camera's snapshot URL gives no picture. It holds neither the password
// nor the URL.
type Fault struct {
	code, what, hint string
	cause            error
}

func (f *Fault) Error() string {
	if f.cause == nil {
		return f.what
	}
	return f.what + ": " + f.cause.Error()
}

func (f *Fault) Unwrap() error { return f.cause }

// Code and Hint are for people.
func (f *Fault) Code() string { return f.code }

// Hint says how to mend it.
func (f *Fault) Hint() string { return f.hint }
