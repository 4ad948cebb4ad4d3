package mse

import (
	"encoding/json"
	"net/http"
)

// refuse answers as the API tells errors (RFC 9457).
func refuse(w http.ResponseWriter, status int, code, detail, hint string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	// A player that has gone is not told.
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Hint   string `json:"hint,omitempty"`
	}{"about:blank", http.StatusText(status), status, code, detail, hint})
}

// refuseEnding is for who comes when nobody is let in any more.
func refuseEnding(w http.ResponseWriter) {
	refuse(w, http.StatusServiceUnavailable, "E-API-STOPPING", "the hub is going down", "ask again when it is back")
}
