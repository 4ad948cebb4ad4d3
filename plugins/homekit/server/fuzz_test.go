package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/service"

	"github.com/porchlight-hub/porchlight/plugins/homekit/pairing"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
)

// shut is a server that does not listen, with one connection that nobody has.
func shut(f *testing.F) *connection {
	f.Helper()
	house, err := store.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	book, err := house.Accessory("front_door")
	if err != nil {
		f.Fatal(err)
	}
	a := accessory.New(accessory.Info{Name: "x"}, accessory.TypeVideoDoorbell)
	bell := service.NewDoorbell()
	a.AddS(bell.S)
	a.AddS(service.NewCameraRTPStreamManagement().S)
	a.AddS(service.NewLightbulb().S)
	s, err := New(Options{
		Book: book, Accessories: []*accessory.A{a}, Category: 18,
		Resource: func(_ context.Context, _ *Peer, r Resource) ([]byte, int) {
			if r.Width < 0 || r.Height < 0 || r.Reason < -1 {
				panic("negative")
			}
			return []byte("JPEG"), 0
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	ours, theirs := net.Pipe()
	f.Cleanup(func() { ours.Close(); theirs.Close() })
	c := s.newConnection(f.Context(), ours, 1)
	c.verified = pairing.Verified{Controller: "phone", Admin: true}
	c.peer = NewPeer(PeerInfo{ID: 1, Controller: "phone", Done: c.ctx.Done()})
	s.conns[1] = c
	return c
}

// FuzzRoutes: every request is answered, with something that a controller can read.
func FuzzRoutes(f *testing.F) {
	c := shut(f)
	for _, s := range [][3]string{
		{"GET", "/characteristics?id=1.9,1.10&meta=1&ev=1&perms=1&type=1", ""},
		{"PUT", "/characteristics", `{"characteristics":[{"aid":1,"iid":9,"ev":true},{"aid":1,"iid":12,"value":"AQEB","r":true}],"pid":7}`},
		{"PUT", "/characteristics", `{"characteristics":[{"aid":1,"iid":22,"value":1}]}`},
		{"PUT", "/prepare", `{"ttl":1000,"pid":7}`},
		{"POST", "/resource", `{"aid":1,"resource-type":"image","image-width":640,"image-height":480,"reason":1}`},
		{"POST", "/pairings", "\x06\x01\x01\x00\x01\x05"},
		{"POST", "/pair-setup", "\x06\x01\x01\x00\x01\x00"},
		{"POST", "/identify", ""}, {"GET", "/accessories", ""},
	} {
		f.Add(s[0], s[1], []byte(s[2]))
	}
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		r, err := http.NewRequestWithContext(WithPeer(t.Context(), c.peer), method, "/", nil)
		if err != nil {
			return
		}
		if u, err := r.URL.Parse(target); err == nil {
			r.URL = u
		}
		for _, a := range []http1.Reply{c.route(r, body), c.s.inTheClear(2, r, body)} {
			m := a.Message()
			if a.Status < 200 || a.Status > 599 || !bytes.HasPrefix(m, []byte("HTTP/1.1 ")) || !bytes.HasSuffix(m, a.Body) {
				t.Fatalf("%q", m)
			}
			if a.Media == mediaJSON && bytes.Equal(a.Body, attribute.Marshal[any](nil)) {
				t.Fatal("an answer has no form")
			}
		}
	})
}

// FuzzConnection: whole connections of noise, in the clear, end with the peer's end.
func FuzzConnection(f *testing.F) {
	c := shut(f)
	f.Add([]byte("GET /accessories HTTP/1.1\r\n\r\n"))
	f.Add([]byte("POST /pair-verify HTTP/1.1\r\nContent-Length: 3\r\n\r\n\x06\x01\x01"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		ours, theirs := net.Pipe()
		c.s.guests.slots <- struct{}{}
		g := c.s.newConnection(t.Context(), ours, 5)
		done := make(chan struct{})
		go func() { defer close(done); g.run() }()
		go io.Copy(io.Discard, theirs)
		theirs.Write(wire)
		theirs.Close()
		<-done
	})
}

// FuzzVerified: the same from whoever is verified, out of frames.
func FuzzVerified(f *testing.F) {
	c := shut(f)
	f.Add([]byte("GET /accessories HTTP/1.1\r\n\r\nPUT /prepare HTTP/1.1\r\nContent-Length: 19\r\n\r\n{\"ttl\":9,\"pid\":1}  "))
	f.Add([]byte("PUT /characteristics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("POST /resource HTTP/1.1\r\nContent-Length: 2000\r\n\r\n{\"resource-type\":"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key := [32]byte{9}
		seal, err := frame.NewSealer(key)
		if err != nil {
			t.Fatal(err)
		}
		wire := seal.Seal(nil, text)
		ours, theirs := net.Pipe()
		c.s.guests.slots <- struct{}{}
		g := c.s.newConnection(t.Context(), ours, 7)
		g.verified = pairing.Verified{Controller: "phone"}
		c.s.mu.Lock()
		c.s.conns[g.id] = g
		c.s.mu.Unlock()
		if !c.s.place(g) {
			t.Fatal("no room")
		}
		frames, err := frame.NewReader(ours, key)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			writing := make(chan struct{})
			go func() { defer close(writing); g.out.Run() }()
			g.end(g.converse(http1.New(frames)))
			<-writing
		}()
		go io.Copy(io.Discard, theirs)
		theirs.Write(wire)
		theirs.Close()
		<-done
	})
}
