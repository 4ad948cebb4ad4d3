package web

import (
	"net/http"
	"time"
)

// statusWriter knows whether the answer has begun.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// patientWriter makes a deadline for writing what it is on a connection of its own:
// nothing happens at it unless something waits to be written. On a stream of HTTP/2
// net/http ends the answer then, whether or not there is anything to say, and pages that
// listen for what happens in a quiet house were cut off.
type patientWriter struct {
	http.ResponseWriter
	rc       *http.ResponseController
	deadline time.Time // zero: the server's own holds
}

// SetWriteDeadline is for http.ResponseController.
func (w *patientWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	if t.IsZero() {
		return w.rc.SetWriteDeadline(t)
	}
	return nil
}

func (w *patientWriter) Write(b []byte) (n int, err error) {
	err = w.within(func() error { n, err = w.ResponseWriter.Write(b); return err })
	return n, err
}

// FlushError is for http.ResponseController.
func (w *patientWriter) FlushError() error { return w.within(w.rc.Flush) }

// Flush is for http.Flusher.
func (w *patientWriter) Flush() { _ = w.FlushError() }

func (w *patientWriter) within(write func() error) error {
	if w.deadline.IsZero() {
		return write()
	}
	if err := w.rc.SetWriteDeadline(w.deadline); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return w.rc.SetWriteDeadline(time.Time{})
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
