package http1

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzRequests: whatever comes out of the stream is whole and within its limits.
func FuzzRequests(f *testing.F) {
	for _, s := range []string{
		"GET /accessories HTTP/1.1\r\n\r\n", "POST /pair-setup HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
		"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "\r\n\r\n", "GET", "CONNECT a:1 HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET http://%zz/ HTTP/1.1\r\n\r\n", strings.Repeat("x", MaxHead+10),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		in := New(bytes.NewReader(wire))
		for total := 0; ; {
			r, body, err := in.Next()
			if err != nil {
				return
			}
			if len(body) > MaxBody || r.URL == nil {
				t.Fatalf("%d bytes of body", len(body))
			}
			if total += len(body); total > len(wire) {
				t.Fatal("more came out than went in")
			}
		}
	})
}
