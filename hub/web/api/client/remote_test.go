package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTokenGoesToItsHubAlone(t *testing.T) {
	var leaked string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer other.Close()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer plt_x" {
			t.Errorf("%s: no token", r.URL.Path)
		}
		if r.URL.Path == "/api/v1/version" {
			_, _ = w.Write([]byte(`{"version":"1"}`))
			return
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer hub.Close()
	c, err := Remote(t.Context(), hub.URL+"/", "plt_x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Cameras(t.Context()); err == nil || leaked != "" || strings.Contains(err.Error(), "plt_x") {
		t.Errorf("a redirect: %v; elsewhere came %q", err, leaked)
	}
	hub.Close()
	var away *NotRunning
	if _, err := Remote(t.Context(), hub.URL, "plt_x", nil); !errors.As(err, &away) || away.Address != hub.URL || away.Hint() == "" {
		t.Errorf("nobody there: %v", err)
	}
	for _, address := range []string{"", "127.0.0.1:8480", "ftp://127.0.0.1", "http://", "http://user:word@127.0.0.1"} {
		if _, err := Remote(t.Context(), address, "plt_x", nil); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestInClear(t *testing.T) {
	for address, want := range map[string]bool{
		"http://127.0.0.1:8480": false, "http://[::1]:8480": false, "http://localhost": false, "https://porch.example": false,
		"http://192.0.2.5:8480": true, "http://porch.local": true, "": false,
	} {
		if InClear(address) != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
}
