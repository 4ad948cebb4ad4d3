package rtsp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
)

// secret is what must not be seen anywhere.
const secret = `p@:/#"%\ü§`

// fault pulls and wants a fault of that kind, which holds no secret and has a hint.
func fault(t *testing.T, want Kind, target Target, o Options) *Fault {
	t.Helper()
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 5 * time.Second
	}
	err := Pull(within(t, 20*time.Second), target, &screen{want: 1 << 30}, o)
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("%v is no fault", err)
	}
	if f.Kind != want {
		t.Errorf("kind %s, want %s: %v", f.Kind, want, f)
	}
	all := fmt.Sprintf("%v %+v %q %s", f, *f, f.Hint(), f.Code())
	for e := error(f); e != nil; e = errors.Unwrap(e) {
		all += e.Error()
	}
	for _, planted := range []string{secret, "querysecret"} {
		if strings.Contains(all, planted) {
			t.Errorf("%q shows in %s", planted, all)
		}
	}
	if f.Hint() == "" {
		t.Errorf("%s: no hint", f.Code())
	}
	return f
}

func TestLogins(t *testing.T) {
	for _, auth := range []string{"basic", "md5", "sha256"} {
		for _, qop := range []bool{false, true} {
			for _, password := range []string{"simple", secret, "", " spaced "} {
				name := fmt.Sprintf("%s/qop=%v/%q", auth, qop, password)
				t.Run(name, func(t *testing.T) {
					cam := start(t, badcam.Options{Auth: auth, Username: "us:er", Password: password, QOP: qop})
					if auth == "basic" {
						cam = start(t, badcam.Options{Auth: auth, Username: "user", Password: password})
					}
					target := Target{URL: cam.URL(), Username: "us:er", Password: password}
					if auth == "basic" {
						target.Username = "user" // RFC 7617 2: no colon in it
					}
					s := &screen{want: 3}
					if err := s.watch(within(t, 20*time.Second), target, Options{}); err != nil {
						t.Fatal(err)
					}
					if cam.Refused() != 0 {
						t.Errorf("%d logins were refused on the way", cam.Refused())
					}
				})
			}
		}
	}
}

// TestWrongPassword: one try, and no more.
func TestWrongPassword(t *testing.T) {
	for _, auth := range []string{"basic", "md5", "sha256"} {
		cam := start(t, badcam.Options{Auth: auth, Username: "u", Password: "right"})
		f := fault(t, Login, Target{URL: cam.URL() + "?token=querysecret", Username: "u", Password: secret}, Options{Talk: true})
		if !f.Tried || cam.Refused() != 1 {
			t.Errorf("%s: tried %v, the camera refused %d", auth, f.Tried, cam.Refused())
		}
		f = fault(t, Login, Target{URL: cam.URL()}, Options{})
		if f.Tried || cam.Refused() != 1 {
			t.Errorf("%s: without a password a login was tried", auth)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, target := range []Target{
		{URL: ""}, {URL: "http://host/"}, {URL: "rtsp:///x"}, {URL: "rtsp://u:" + "querysecret" + "@host/x"}, {URL: "rtsp://u@host/x"},
		{URL: "rtsp://host/x", Transport: "carrier pigeon"}, {URL: "rtsp://host/x", Fingerprint: "sha256:" + strings.Repeat("0", 64)},
		{URL: "rtsps://host/x", Fingerprint: "md5:00"}, {URL: "rtsp://" + strings.Repeat("x", 3000)}, {URL: "rtsp://host:%zz/"},
	} {
		fault(t, Address, target, Options{})
	}
}

func TestFaults(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := closed.Addr().String()
	closed.Close()
	refuse := func(method string, status int) badcam.Options {
		return badcam.Options{Answer: answers(method, func(_ *badcam.Request, a *badcam.Answer) { a.Fail(status, "No") })}
	}
	raw := func(method, answer string) badcam.Options {
		return badcam.Options{Answer: answers(method, func(_ *badcam.Request, a *badcam.Answer) { a.Raw = answer })}
	}
	for _, c := range []struct {
		name string
		kind Kind
		cam  badcam.Options
	}{
		{"not found", NotFound, refuse("DESCRIBE", 404)},
		{"forbidden", Login, refuse("DESCRIBE", 403)},
		{"busy", Busy, refuse("SETUP", 453)},
		{"busy at play", Busy, refuse("PLAY", 503)},
		{"an answer of its own", Protocol, refuse("DESCRIBE", 499)},
		{"no description", BadSDP, raw("DESCRIBE", "RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n")},
		{"a page", BadSDP, raw("DESCRIBE", "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 13\r\n\r\n<html></html>")},
		{"ten megabytes", BadSDP, raw("DESCRIBE", "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 10000000\r\n\r\nv=0")},
		{"an endless line", BadSDP, raw("DESCRIBE", "RTSP/1.0 200 OK\r\nX: "+strings.Repeat("x", 100_000))},
		{"endless headers", BadSDP, raw("DESCRIBE", "RTSP/1.0 200 OK\r\n"+strings.Repeat("X: y\r\n", 1000))},
		{"a web server", Protocol, raw("OPTIONS", "HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"nothing to carry", NoMedia, badcam.Options{SDP: describe("m=video 0 RTP/AVP 96\na=rtpmap:96 VP8/90000")}},
		{"no streams", BadSDP, badcam.Options{SDP: describe("")}},
		{"SRTP", NoMedia, badcam.Options{SDP: strings.Replace(video(""), "RTP/AVP", "RTP/SAVP", 1)}},
		{"silence at describe", Timeout, badcam.Options{Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) { a.Silent = true })}},
		{"no packets", Timeout, badcam.Options{Play: func(p *badcam.Player) { <-p.Done }}},
		{"a redirect in circles", Protocol, badcam.Options{Answer: answers("DESCRIBE", func(q *badcam.Request, a *badcam.Answer) {
			a.Fail(301, "Moved")
			a.Set("Location", q.URL)
		})}},
		{"a redirect to nowhere", Protocol, badcam.Options{Answer: answers("DESCRIBE", func(q *badcam.Request, a *badcam.Answer) { a.Fail(302, "Moved") })}},
		{"a login of a kind of its own", Protocol, badcam.Options{Answer: answers("DESCRIBE", func(q *badcam.Request, a *badcam.Answer) {
			a.Fail(401, "Unauthorized")
			a.Set("WWW-Authenticate", "Kerberos xyz")
		})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cam := start(t, c.cam)
			fault(t, c.kind, Target{URL: cam.URL() + "?token=querysecret", Username: "u", Password: secret}, Options{ReadTimeout: 500 * time.Millisecond})
		})
	}
	fault(t, Refused, Target{URL: "rtsp://" + gone + "/"}, Options{})
	fault(t, Unreachable, Target{URL: "rtsp://camera.invalid/"}, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "camera.invalid", IsNotFound: true}
	}})
	fault(t, Unreachable, Target{URL: "rtsp://192.0.2.1/"}, Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
}

// TestManyStreams: a thousand streams are a description like any other, and cost no more.
func TestManyStreams(t *testing.T) {
	cam := start(t, badcam.Options{SDP: video(strings.Repeat("m=audio 0 RTP/AVP 0\na=control:x\n", 1000))})
	s := &screen{want: 3}
	if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, Options{}); err != nil {
		t.Fatal(err)
	}
	setups := 0
	for _, q := range cam.Asked() {
		if q.Method == "SETUP" {
			setups++
		}
	}
	if setups != 2 {
		t.Errorf("%d SETUPs", setups)
	}
}

// TestEnds: a camera that hangs up ends the pull at once, one that freezes after the read
// timeout, one that answers but plays nothing after three.
func TestEnds(t *testing.T) {
	t.Run("hung up", func(t *testing.T) {
		cam := start(t, badcam.Options{})
		s := &screen{until: func(s *screen) bool {
			if len(s.units) == 3 {
				cam.HangUp()
			}
			return false
		}}
		var f *Fault
		if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, Options{}); !errors.As(err, &f) || f.Kind != Ended {
			t.Fatal(err)
		}
	})
	few := func(p *badcam.Player) {
		for i := range 3 {
			p.Send(0, false, badcam.RTP(96, uint16(i), uint32(i*badcam.Ticks), true, badcam.H264().Pictures[i][0]))
		}
		<-p.Done
	}
	for name, mute := range map[string]bool{"frozen": true, "answers": false} {
		t.Run(name, func(t *testing.T) {
			cam := start(t, badcam.Options{Play: few, Answer: func(q *badcam.Request, a *badcam.Answer) {
				a.Silent = mute && (q.Method == "GET_PARAMETER" || q.Method == "OPTIONS" && q.Nth > 1)
			}})
			began := time.Now()
			fault(t, Timeout, Target{URL: cam.URL()}, Options{ReadTimeout: 400 * time.Millisecond})
			if took := time.Since(began); !mute && took < 1200*time.Millisecond {
				t.Errorf("gave up after %v while the camera answered", took)
			}
		})
	}
}

// TestSilentUDP: by UDP nobody tells that a camera is gone but the packets that do not come.
func TestSilentUDP(t *testing.T) {
	cam := start(t, badcam.Options{Play: func(p *badcam.Player) {
		for i := range 3 {
			p.Send(0, false, badcam.RTP(96, uint16(i), uint32(i*badcam.Ticks), true, badcam.H264().Pictures[i][0]))
		}
		<-p.Done
	}})
	fault(t, Timeout, Target{URL: cam.URL(), Transport: "udp"}, Options{ReadTimeout: 400 * time.Millisecond})
}

// TestCancel: the pull ends with its context, and the camera is told.
func TestCancel(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		cam := start(t, badcam.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		s := &screen{until: func(s *screen) bool {
			if len(s.units) == 3 {
				cancel()
			}
			return false
		}}
		if err := s.watch(ctx, Target{URL: cam.URL(), Transport: transport}, Options{}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cam.Close()
		if asked := cam.Asked(); asked[len(asked)-1].Method != "TEARDOWN" {
			t.Errorf("%s: the camera was left without a word: %v", transport, asked[len(asked)-1].Method)
		}
	}
}

// TestMemory: what worked is tried first the next time.
func TestMemory(t *testing.T) {
	cam := start(t, badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) {
		switch {
		case q.Method == "PLAY" && q.Header["range"] != "":
			a.Fail(503, "Service Unavailable")
		case q.Method == "DESCRIBE" && strings.HasSuffix(q.URL, "/live"):
			a.Fail(301, "Moved Permanently")
			a.Set("Location", strings.Replace(q.URL, "/live", "/moved", 1))
		case q.Method == "OPTIONS" && q.Nth == 1:
			a.HangUp = true
		}
	}})
	var m Memory
	play := func(o Options) []string {
		t.Helper()
		before := len(cam.Asked())
		s := &screen{until: func(s *screen) bool { return m.Version > 0 && len(s.units) > 3 }}
		o.Remember = func(got Memory) { m = got }
		if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, o); err != nil {
			t.Fatal(err)
		}
		var methods []string
		for _, q := range cam.Asked()[before:] {
			methods = append(methods, q.Method)
		}
		return methods
	}
	first := play(Options{})
	if !m.NoRange || !m.NoOptions || m.Path != "/moved" {
		t.Fatalf("remembers %+v of %v", m, first)
	}
	b, err := json.Marshal(m)
	if err != nil || len(b) > 512 {
		t.Fatalf("%s %v", b, err)
	}
	var kept Memory
	if err := json.Unmarshal(b, &kept); err != nil || !kept.equal(m) {
		t.Fatalf("%+v became %+v", m, kept)
	}
	if second := play(Options{Memory: kept}); !slices.Equal(second[:3], []string{"DESCRIBE", "SETUP", "PLAY"}) {
		t.Errorf("the second time it asks %v", second)
	}
	if want := []string{"no_range", "no_options", "redirected"}; !slices.Equal(kept.Worked(), want) {
		t.Errorf("worked: %v", kept.Worked())
	}
	newer := kept
	newer.Version = 99
	if third := play(Options{Memory: newer}); third[0] != "OPTIONS" {
		t.Error("a memory of the future was used")
	}
}

// TestLearnsSignOfLife: a camera that counts only GET_PARAMETER and does not say that it
// knows it is kept from the second pull on.
func TestLearnsSignOfLife(t *testing.T) {
	if testing.Short() {
		t.Skip("a session has to run out")
	}
	cam := start(t, badcam.Options{Timeout: time.Second, Keeps: []string{"GET_PARAMETER"}, Public: "OPTIONS, DESCRIBE, SETUP, PLAY"})
	var m Memory
	o := Options{Remember: func(got Memory) { m = got }}
	fault(t, Ended, Target{URL: cam.URL()}, o)
	if m.Keepalive != "both" {
		t.Fatalf("remembers %+v", m)
	}
	o.Memory = m
	s := &screen{until: forAWhile}
	if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, o); err != nil {
		t.Error(err)
	}
}

// TestRedirectKeepsLogin: what was given for one host is not sent to another in the clear.
func TestRedirectKeepsLogin(t *testing.T) {
	thief := start(t, badcam.Options{Auth: "basic", Username: "u", Password: "right"})
	elsewhere := strings.Replace(thief.URL(), "127.0.0.1", "localhost", 1)
	cam := start(t, badcam.Options{Auth: "md5", Username: "u", Password: secret, Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) {
		a.Fail(302, "Moved")
		a.Set("Location", elsewhere)
	})})
	f := fault(t, Login, Target{URL: cam.URL(), Username: "u", Password: secret}, Options{})
	if f.Tried || thief.Dialled() == 0 {
		t.Errorf("tried %v, dialled %d", f.Tried, thief.Dialled())
	}
	for _, q := range thief.Asked() {
		if q.Header["authorization"] != "" {
			t.Errorf("%s came with %q", q.Method, q.Header["authorization"])
		}
	}
}

func certificate(t *testing.T) (*tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "camera"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, dialog.Fingerprint(der)
}

func TestCertificates(t *testing.T) {
	cert, pin := certificate(t)
	_, other := certificate(t)
	cam := start(t, badcam.Options{TLS: cert, Auth: "basic", Username: "u", Password: secret})
	target := Target{URL: cam.URL(), Username: "u", Password: secret}
	if f := fault(t, Certificate, target, Options{}); f.Fingerprint != pin || !strings.Contains(f.Hint(), pin) {
		t.Errorf("names %q, %s", f.Fingerprint, f.Hint())
	}
	target.Fingerprint = other
	if f := fault(t, Certificate, target, Options{}); f.Fingerprint != pin {
		t.Errorf("names %q", f.Fingerprint)
	}
	if n := len(cam.Asked()); n != 0 {
		t.Errorf("%d requests before the certificate was known", n)
	}
	for _, spelling := range []string{pin, strings.ToUpper(pin), colons(pin)} {
		target.Fingerprint = spelling
		s := &screen{want: 3}
		if err := s.watch(within(t, 20*time.Second), target, Options{}); err != nil {
			t.Errorf("%s: %v", spelling, err)
		}
	}
	plain := start(t, badcam.Options{})
	target = Target{URL: strings.Replace(plain.URL(), "rtsp:", "rtsps:", 1)}
	fault(t, Ended, target, Options{})
	down := start(t, badcam.Options{TLS: cert, Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) {
		a.Fail(302, "Moved")
		a.Set("Location", plain.URL())
	})})
	fault(t, Certificate, Target{URL: down.URL(), Fingerprint: pin}, Options{})
	if plain.Dialled() > 1 {
		t.Error("it went on without TLS")
	}
}

// colons writes a fingerprint as other programs show it.
func colons(pin string) string {
	hex := strings.TrimPrefix(pin, "sha256:")
	var parts []string
	for i := 0; i < len(hex); i += 2 {
		parts = append(parts, hex[i:i+2])
	}
	return "sha256:" + strings.Join(parts, ":")
}

// TestNewParameterSets: a camera whose picture changes size is described anew.
func TestNewParameterSets(t *testing.T) {
	film := badcam.H264()
	// The same set but for its level: any other byte would do.
	other := slices.Clone(film.SPS)
	other[3] = 0x0d
	cam := start(t, badcam.Options{Play: func(p *badcam.Player) {
		p.Packets(func(i int) [][]byte {
			sets := film.SPS
			if i/8%2 == 1 {
				sets = other
			}
			if i%4 == 0 {
				return [][]byte{sets, film.PPS, film.Pictures[0][0]}
			}
			return film.Pictures[i%4]
		}, nil)
	}})
	s := &screen{want: 20}
	if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, Options{}); err != nil {
		t.Fatal(err)
	}
	if len(s.sets) != 2 || s.sets[0].SPS[3] != 0x0d || s.sets[1].SPS[3] == 0x0d {
		t.Errorf("described anew: %+v", s.sets)
	}
	if err := s.same(film.Pictures); err != nil {
		t.Error(err)
	}
}

// TestBrokenSink: who takes the units may end the pull, and even a panic of it stays here.
func TestBrokenSink(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		cam := start(t, badcam.Options{})
		s := &screen{until: func(*screen) bool { panic("broken") }}
		var f *Fault
		if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL(), Transport: transport}, Options{}); !errors.As(err, &f) || f.Kind != Protocol {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestLook(t *testing.T) {
	cam := start(t, badcam.Options{Auth: "sha256", Username: "u", Password: secret,
		SDP: video("m=audio 0 RTP/AVP 0\na=control:mic\nm=audio 0 RTP/AVP 8\na=control:talk\na=sendonly\nm=vana 0 RTP/AVP 99")})
	target := Target{URL: cam.URL(), Username: "u", Password: secret}
	r, err := Look(t.Context(), target, Options{Talk: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tracks) != 2 || r.Auth != "digest-sha256" || r.Server != "badcam" || r.Transport != "tcp" ||
		!slices.Equal(r.Talk, []string{"G711"}) || !slices.Equal(r.Repairs, []string{"kinds"}) || len(r.Left) != 1 {
		t.Errorf("%+v", r)
	}
	for _, q := range cam.Asked() {
		if q.Method == "SETUP" || q.Method == "PLAY" {
			t.Errorf("a look asks %s", q.Method)
		}
	}
	r, err = Look(t.Context(), target, Options{Play: 10 * time.Second})
	if err != nil || r.FirstKey <= 0 || r.GOP <= 0 || r.FPS < 24.9 || r.FPS > 25.1 || r.Bitrate <= 0 {
		t.Errorf("%+v %v", r, err)
	}
	target.Password = "wrong"
	if r, err = Look(t.Context(), target, Options{}); err == nil || r.Auth != "digest-sha256" {
		t.Errorf("%+v %v", r, err)
	}
}

// TestHostilePackets: whatever packets hold, the pull goes on or ends, in bounds.
func TestHostilePackets(t *testing.T) {
	cam := start(t, badcam.Options{Play: func(p *badcam.Player) {
		x := uint32(1)
		for i := range 20_000 {
			b := make([]byte, i%97)
			for j := range b {
				x = x*1664525 + 1013904223
				b[j] = byte(x >> 24)
			}
			if i%3 == 0 {
				b = badcam.RTP(96, uint16(i), x, i%5 == 0, b)
			}
			if !p.Send(0, i%7 == 0, b) {
				return
			}
		}
		p.Film(badcam.H264())
	}})
	s := &screen{until: func(s *screen) bool { return len(s.units) > 4 && s.units[len(s.units)-1].Key }}
	if err := s.watch(within(t, 60*time.Second), Target{URL: cam.URL()}, Options{}); err != nil {
		t.Error(err)
	}
}

// TestNothingToBeginWith: packets without one picture do not hold a pull for ever.
func TestNothingToBeginWith(t *testing.T) {
	cam := start(t, badcam.Options{SDP: describe(h264Lines)})
	var mu sync.Mutex
	now := time.Now()
	// Time goes on by each look at the clock: after a minute and a half of them it ends.
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(100 * time.Millisecond)
		return now
	}
	fault(t, NoMedia, Target{URL: cam.URL()}, Options{Now: clock, ReadTimeout: 10 * time.Second})
}

func TestAddressesAreShownWithoutValues(t *testing.T) {
	for in, want := range map[string]string{
		"rtsp://192.0.2.1/s?pwd=hunter2":                             "rtsp://192.0.2.1/s",
		"rtsp://192.0.2.1/user=admin_password=hunter2_channel=1.sdp": "rtsp://192.0.2.1/user=***",
		"rtsp://192.0.2.1/user=admin&password=hunter2&channel=1.sdp": "rtsp://192.0.2.1/user=***",
	} {
		a, fault := Target{URL: in}.check()
		if fault != nil || a.shown() != want {
			t.Errorf("%s is shown as %s, want %s (%v)", in, a.shown(), want, fault)
		}
	}
}
