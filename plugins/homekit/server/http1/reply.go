package http1

import (
	"net/http"
	"strconv"
)

// StatusUnverified is HAP's own (HAP 6.5.1.1): pair-verify first.
const StatusUnverified = 470

// Reply is what a request is answered with.
type Reply struct {
	Status int
	Media  string // its Content-Type; "": none
	Body   []byte
	After  func() // once its bytes are with the network; nil: nothing
}

// Message is it as bytes.
func (a Reply) Message() []byte {
	text := http.StatusText(a.Status)
	if a.Status == StatusUnverified {
		text = "Connection Authorization Required"
	}
	m := make([]byte, 0, 128+len(a.Body))
	m = append(m, "HTTP/1.1 "...)
	m = strconv.AppendInt(m, int64(a.Status), 10)
	m = append(m, ' ')
	m = append(m, text...)
	if a.Media != "" {
		m = append(m, "\r\nContent-Type: "...)
		m = append(m, a.Media...)
	}
	if a.Status != http.StatusNoContent {
		m = append(m, "\r\nContent-Length: "...)
		m = strconv.AppendInt(m, int64(len(a.Body)), 10)
	}
	m = append(m, "\r\n\r\n"...)
	return append(m, a.Body...)
}
