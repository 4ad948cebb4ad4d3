package restream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// signed puts the right answer to the nonce behind the first line of a request.
func signed(request string, nonce string) string {
	first, rest, ok := strings.Cut(request, "\r\n")
	words := strings.Fields(first)
	if !ok || len(words) < 2 {
		return request
	}
	answer := hashMD5(hashMD5("owner:"+Realm+":secret words") + ":" + nonce + ":" + hashMD5(words[0]+":"+words[1]))
	return first + "\r\n" + fmt.Sprintf("Authorization: Digest username=\"owner\", realm=%q, nonce=%q, uri=%q, response=%q\r\n", Realm, nonce, words[1], answer) + rest
}

// Whatever somebody sends, even with the right password: the server answers or ends the
// connection, and lets go of all that it held.
func FuzzRequests(f *testing.F) {
	const url = "rtsp://h/front/main"
	setup := "SETUP " + url + "/trackID=0 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
	f.Add("DESCRIBE "+url+" RTSP/1.0\r\nCSeq: 1\r\nRequire: www.onvif.org/ver20/backchannel\r\n\r\n"+setup, true)
	f.Add(setup+"SETUP "+url+"/trackID=2 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n\r\nPLAY "+url+" RTSP/1.0\r\nCSeq: 4\r\nSession: 00\r\n\r\n$\x02\x00\x10\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07abcd", true)
	f.Add("SETUP "+url+"/trackID=1 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;unicast;client_port=1-2,RTP/AVP/TCP\r\n\r\nTEARDOWN "+url+" RTSP/1.0\r\nCSeq: 4\r\n\r\n", true)
	f.Add("SETUP "+url+"/trackID=9 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n", true) // refused, and nothing is held
	f.Add("OPTIONS * RTSP/1.0\r\n\r\n", false)
	f.Add("DESCRIBE "+url+"?audio=none/trackID=9 RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest a=\"\r\n\r\n", false)
	f.Add("GET / HTTP/1.1\r\nX-Sessioncookie: 1\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n", false)
	f.Add("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n$\x00", false)
	core := media.New(media.Limits{})
	w, err := core.Stream("front", "main").Begin([]av.Track{track(f), av.PCMTrack(2, av.PCMU, 8000, 1)})
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Put(picture(true, 0, 4000)), w.Put(&av.Unit{Track: 2, Data: make([]byte, 160)})); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, requests string, sign bool) {
		ctx, cancel := context.WithCancel(t.Context())
		s := New(Options{Core: core, Talk: &desk{}, Logins: newLogins("owner", "secret words", Viewer{User: "owner", MayTalk: true}), Cameras: func(id string) bool { return id == "front" }})
		s.ctx = ctx
		here, there := net.Pipe()
		c := newConn(s, there)
		c.id = 1
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.serve(ctx)
			s.leave(c)
		}()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		_ = here.SetDeadline(time.Now().Add(10 * time.Second))
		for _, r := range strings.SplitAfter(requests, "\r\n\r\n") {
			if sign {
				r = signed(r, c.nonce)
			}
			if _, err := io.WriteString(here, r); err != nil {
				break
			}
		}
		_ = here.Close()
		<-done
		s.mu.Lock()
		for _, fd := range s.feeds {
			if fd.users != 0 {
				t.Errorf("%d hold a feed on", fd.users)
			}
		}
		s.mu.Unlock()
		cancel()
		s.shut()
	})
}

func FuzzPackets(f *testing.F) {
	p, _ := wire.New(track(f), 0, 7)
	u := picture(true, 0, 3000)
	b, _ := p.Append(nil, u, 1)
	f.Add(b, u.Data, uint8(0))
	f.Add([]byte("$\x00\x00"), []byte{0, 0, 0, 9, 1}, uint8(1))
	aac, _ := av.AACTrack(1, []byte{0x12, 0x88})
	h265 := av.Track{ID: 1, Kind: av.Video, Codec: av.H265, ClockRate: 90000, VPS: []byte{1, 2, 3}, SPS: []byte{1, 2, 3}}
	tracks := []av.Track{track(f), h265, aac, av.OpusTrack(1, 1), av.PCMTrack(1, av.PCMU, 8000, 1), av.PCMTrack(1, av.L16, 8000, 2), av.MJPEGTrack(1, 640, 480, 5)}
	f.Fuzz(func(t *testing.T, frames, data []byte, kind uint8) {
		_ = wire.Packets(frames, func(byte, []byte) error { return nil })
		p, ok := wire.New(tracks[int(kind)%len(tracks)], 0, 7)
		if !ok {
			t.Fatal("a codec that is not carried")
		}
		out, n := p.Append(nil, &av.Unit{Track: 1, Key: kind > 127, Data: data}, 65530)
		have := 0
		if err := wire.Packets(out, func(c byte, b []byte) error {
			have++
			if c != 0 || len(b) < 12 {
				return fmt.Errorf("channel %d, %d bytes", c, len(b))
			}
			return nil
		}); err != nil || have != n {
			t.Errorf("%d packets, said %d: %v", have, n, err)
		}
	})
}

// The log tells who failed and from where, and no password, answer or nonce.
func TestLogHasNoSecrets(t *testing.T) {
	var b bytes.Buffer
	h, _ := still(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p := dial(t, h)
	p.watch("front/main", false, 0)
	q := dial(t, h)
	q.pass = "hunter2"
	q.login("front/main")
	_, local := h.Local()
	h.Apply(Settings{Off: true})
	await(t, "off", func() bool { return h.Addr() == nil && len(h.all()) == 0 })
	for _, secret := range []string{"secret", "hunter2", local, p.nonce, q.nonce} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%q stands in the log: %s", secret, b.String())
		}
	}
}

func TestSettings(t *testing.T) {
	h, _ := still(t, nil)
	if !h.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("listens on %s", h.Addr())
	}
	port, lan, err := h.Where()
	if err != nil || lan || port == 0 {
		t.Errorf("%d %v %v", port, lan, err)
	}
	p := dial(t, h)
	p.watch("front/main", false, 0)
	h.Apply(h.o.Settings) // nothing new: readers stay
	h.Apply(Settings{LAN: true})
	await(t, "all machines", func() bool { _, lan, err := h.Where(); return err == nil && lan })
	await(t, "the reader's end", func() bool { return len(h.Stats().Readers) == 0 })
	p = dial(t, h)
	p.host = h.Addr().String()
	status(t, p.login("front/main"), 200, "on all machines")

	// A port that somebody has: told, and taken when it is free.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().(*net.TCPAddr).Port
	h.Apply(Settings{Port: taken})
	await(t, "trouble", func() bool { return h.Trouble() != nil })
	var coded interface{ Code() string }
	if !errors.As(h.Trouble(), &coded) || coded.Code() != "E-RESTREAM-PORT-TAKEN" {
		t.Errorf("%v", h.Trouble())
	}
	if _, _, err := h.Where(); err == nil {
		t.Error("it is somewhere")
	}
	_ = l.Close()
	h.Apply(Settings{Port: taken, LAN: false, Off: false})
	await(t, "the port", func() bool { return h.Addr() != nil })
}
