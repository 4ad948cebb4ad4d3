package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web"
)

func TestLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0"} {
		ln, err := web.Listen(t.Context(), addr, false)
		var e *web.Error
		if !errors.As(err, &e) || e.Code() != web.CodeNotLoopback {
			t.Errorf("%s: %v", addr, err)
		}
		if ln != nil {
			ln.Close()
		}
	}
	ln, err := web.Listen(t.Context(), "0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	// And whoever forgets to ask Listen is refused by Serve.
	var e *web.Error
	if err := newFixture(t).web.Serve(t.Context(), ln); !errors.As(err, &e) || e.Code() != web.CodeNotLoopback {
		t.Errorf("serve: %v", err)
	}
	_, err = web.Listen(t.Context(), "127.0.0.1:99999", false)
	if !errors.As(err, &e) || e.Code() != web.CodeListen {
		t.Errorf("no port: %v", err)
	}
}

func TestServeStopsGracefully(t *testing.T) {
	x := newFixture(t, func(d *web.Deps) { d.Listen = "127.0.0.1:0" })
	ln, err := web.Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1) // its one result
	go func() { done <- x.web.Serve(ctx, ln) }()
	b := x.owner()
	b.http.URL = "http://" + ln.Addr().String()
	r := b.stream("")
	r.next("hello")
	if got := x.web.URL(); got != b.http.URL {
		t.Errorf("URL %s, want %s", got, b.http.URL)
	}
	cancel()
	if m := r.next("bye"); !strings.Contains(m.data, "stopping") {
		t.Errorf("bye %s", m.data)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
	}
	if _, err := http.Get("http://" + ln.Addr().String()); err == nil {
		t.Error("it still answers")
	}
}
