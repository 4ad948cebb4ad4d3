package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/certs"
)

func TestTLSOff(t *testing.T) {
	d := Deps{Config: valid(t, "version: 1\n"), DataDir: t.TempDir()}
	wants(t, Check(t.Context(), d, TLS), TLS, Skip, "hub.tls is off")
	d.Config = valid(t, "version: 1\nhub: {listen: \"0.0.0.0:0\", insecure: true}\n")
	wants(t, Check(t.Context(), d, TLS), TLS, Skip, "no microphone")
}

func TestLocalCA(t *testing.T) {
	data := t.TempDir()
	d := Deps{DataDir: data, Config: valid(t, "version: 1\nhub: {listen: \"0.0.0.0:8480\", public_url: \"https://porch.local:8480\", tls: {mode: local-ca}}\n")}
	wants(t, Check(t.Context(), d, TLS), TLS, Skip, "makes one when it starts")
	wants(t, Check(t.Context(), d, Network), Network, OK, "by https")
	dir := filepath.Join(data, "tls")
	c, err := certs.Open(dir, certs.Options{Mode: certs.ModeLocalCA, House: "Elm", Names: func() []string { return certs.Names("Elm", "https://porch.local:8480") }})
	if err != nil {
		t.Fatal(err)
	}
	found := Check(t.Context(), d, TLS)
	wants(t, found, TLS, OK, "the certificate is good until")
	wants(t, found, TLS, OK, "porch.local", "hub.public_url")
	wants(t, found, TLS, OK, "Porchlight Elm", "own programs do not")
	if Failed(found) {
		t.Error(found)
	}

	d.Config = valid(t, "version: 1\nhub: {listen: \"0.0.0.0:8480\", public_url: \"https://porch.example.org:8480\", tls: {mode: local-ca}}\n")
	wants(t, Check(t.Context(), d, TLS), TLS, Warn, "not for porch.example.org", certs.CodeNames)

	// A hub that runs is asked, as a browser would.
	ln, err := tls.Listen("tcp", "127.0.0.1:0", c.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serve sync.WaitGroup
	serve.Go(func() { shakeHands(ln) })
	defer serve.Wait()
	defer cancel()
	defer ln.Close()
	d.Address = ln.Addr().String()
	wants(t, Check(ctx, d, TLS), TLS, OK, "answers by https on "+d.Address)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	d.Address = plain.Addr().String()
	wants(t, Check(ctx, d, TLS), TLS, Fail, "does not answer by https", "porchlight tls renew")
	d.Address = ""

	d.Now = func() time.Time { return time.Now().Add(100 * 24 * time.Hour) }
	wants(t, Check(t.Context(), d, TLS), TLS, Fail, "the certificate ended", "porchlight tls renew")
	d.Now = func() time.Time { return time.Now().Add(9*365*24*time.Hour + 40*24*time.Hour) }
	wants(t, Check(t.Context(), d, TLS), TLS, Warn, "authority", "/trust")
	d.Now = nil
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, Check(t.Context(), d, TLS), TLS, Fail, "may read", "chmod 600", certs.CodeKeyMode)
}

func shakeHands(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		_ = c.(*tls.Conn).Handshake() // the other end tells
		c.Close()
	}
}

func TestFilesMode(t *testing.T) {
	dir := t.TempDir()
	d := Deps{DataDir: dir, Config: valid(t, "version: 1\nhub: {tls: {mode: files, cert: "+dir+"/c.pem, key: "+dir+"/k.pem}}\n")}
	found := Check(t.Context(), d, TLS)
	wants(t, found, TLS, Fail, "c.pem", certs.CodeFiles)
	if len(found) != 1 {
		t.Error(found)
	}
	if _, err := certs.Open(dir, certs.Options{Mode: certs.ModeLocalCA}); err != nil {
		t.Fatal(err)
	}
	pair, err := os.ReadFile(filepath.Join(dir, "hub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c.pem", "k.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), pair, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, Check(t.Context(), d, TLS), TLS, OK, "good until")
	d.Now = func() time.Time { return time.Now().Add(85 * 24 * time.Hour) }
	wants(t, Check(t.Context(), d, TLS), TLS, Warn, "ends in 4 days")
}
