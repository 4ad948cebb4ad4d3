//go:build linux

package street

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/chromium"
	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

// The hub's ports are those that it has by default: on a network of its own all are free.
const (
	pagesPort  = "8480"
	webrtcPort = "8555"
	rtspPort   = "8554"
)

// Addresses of the house and the phone. The phone has no IPv6 until a test gives it one:
// browsers prefer it, and what happens to IPv4 would not be seen.
var (
	house4     = netip.MustParsePrefix("10.77.0.1/24")
	house4Next = netip.MustParsePrefix("10.77.0.9/24")
	house6     = netip.MustParsePrefix("fd77::1/64")
	phone4     = netip.MustParsePrefix("10.77.0.2/24")
	phone4Next = netip.MustParsePrefix("10.77.0.22/24")
	phone6     = netip.MustParsePrefix("fd77::2/64")
)

// password of the owner, chosen on the phone.
const password = "four words on paper"

// hum is the tone that the porch camera sends, and voice that of the phone's microphone, in Hz.
const (
	hum   = 440
	voice = 1000
)

// street is a house with its hub and a foreign camera, a phone, and the cable between.
type street struct {
	*hubtest.Hub
	t     *testing.T
	cable *netns.Cable
	phone *netns.Host
	heard string // what the porch camera hears by its back channel
	ca    string // file of the hub's authority, once the phone has fetched it
	tone  string
	bin   string            // the hub's program
	b     *chromium.Browser // the phone's
}

func newStreet(t *testing.T) *street {
	t.Helper()
	netns.Need(t, "certutil", "ffmpeg")
	if chromium.Path() == "" && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: no browser; apt-get install chromium")
	}
	s := &street{t: t, phone: netns.NewHost(t, "phone")}
	s.cable = netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{house4, house6}},
		netns.End{Host: s.phone, Interface: "wlan0", Addresses: []netip.Prefix{phone4}})
	dir := t.TempDir()
	s.heard, s.tone, s.ca = filepath.Join(dir, "heard.raw"), filepath.Join(dir, "tone.wav"), filepath.Join(dir, "ca.pem")
	chromium.Tone(t, s.tone, voice)
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "p@:/#", Digest: true, Streams: map[string]hubtest.CameraStream{
		"/main": {Sound: "aac", Tone: hum, Width: 640, Height: 360, FPS: 15, Key: 4, Pattern: "snow", Kbps: 1000, Talk: "pcmu", Heard: s.heard},
		"/yard": {Video: "h265", Sound: "pcma", Tone: hum, Width: 320, Height: 180, FPS: 10, Kbps: 150}}})
	s.bin = hubtest.Binary(t)
	s.Hub = hubtest.Start(t, s.bin, hubtest.Dir(t, fmt.Sprintf(`version: 1
hub: {name: Elm, listen: "[::]:%[1]s", tls: {mode: local-ca}, rtsp: {lan: true}, data_dir: ./data}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo}
  porch: {name: Porch, kind: doorbell, source: {url: "rtsp://%[2]s/main", username: cam, password: "p@:/#"}}
  yard: {name: Yard, source: {url: "rtsp://%[2]s/yard", username: cam, password: "p@:/#"}}
`, pagesPort, cam.Address())))
	return s
}

// url of a page as the phone reaches it.
func (s *street) url(path string) string {
	return "https://" + net.JoinHostPort(house4.Addr().String(), pagesPort) + path
}

// clear is the same without TLS.
func (s *street) clear(path string) string { return strings.Replace(s.url(path), "https", "http", 1) }

// web is a client on the phone that trusts what the phone trusts: nothing more.
func (s *street) web(c *tls.Config) *http.Client {
	return &http.Client{Timeout: hubtest.Within, Transport: &http.Transport{DialContext: s.phone.DialContext, TLSClientConfig: c}}
}

// get reads an address as the phone does.
func (s *street) get(url string) (int, string) {
	s.t.Helper()
	res, err := s.web(nil).Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// browser starts one on the phone. It has a person's settings, but where named.
func (s *street) browser(args ...string) *chromium.Browser {
	s.t.Helper()
	return chromium.Start(s.t, chromium.Options{Start: s.phone.Start, CA: s.ca, Microphone: s.tone, Args: args})
}

// signIn opens a page of another person at the phone.
func (s *street) signIn(b *chromium.Browser, origin string) *chromium.Page {
	s.t.Helper()
	p := b.Open(s.t, 390, 844)
	p.Script(eyes)
	p.Go(origin + "/login")
	p.Type("input[name=user]", "owner")
	p.Type("input[name=password]", password)
	p.Tap("main button[type=submit]")
	p.Until("they are in", `location.pathname === "/"`)
	return p
}

// part runs one of the day's parts. The next ones go on after its failure.
func (s *street) part(name string, f func(t *testing.T)) {
	whole := s.t
	whole.Run(name, func(t *testing.T) {
		s.t = t
		defer func() {
			s.t = whole
			if t.Failed() { // it may have left the cable as it was
				s.cable.A.Heal()
				s.cable.B.Heal()
			}
		}()
		f(t)
	})
}

// TestStreet is the day of a phone.
func TestStreet(t *testing.T) {
	s := newStreet(t)
	s.part("the hub is trusted", s.trust)
	if t.Failed() {
		t.Fatal("nothing more can be seen from the phone")
	}
	crowd := s.gather()
	p := s.page()
	live := func(name string, f func(*testing.T, *chromium.Page)) {
		s.part(name, func(t *testing.T) { f(t, p.For(t)) })
	}
	live("a tap shows the door with sound", s.tap)
	live("the demo hears the voice", s.talkToDemo)
	live("a camera with a back channel hears the voice", s.talkToCamera)
	live("the second talker is told who talks", s.second)
	live("answered from the ring", s.answer)
	live("one packet of twenty is lost", s.loss)
	live("UDP is dropped and allowed again", s.noUDP)
	live("WebRTC is barred and allowed again", s.barred)
	live("the phone has another address", s.moved)
	live("the network is pulled for ten seconds", s.pulled)
	s.part("by IPv6", s.ipv6)
	s.part("another browser's addresses are told", s.openAddresses)
	s.part("players of others", s.players)
	s.part("a program speaks by RTSP", s.door)
	live("a camera of H.265 is seen", s.converted)
	s.part("without HTTPS nobody talks, and is told why", s.inClear)
	s.part("tools read MP4 and MJPEG", s.tools)
	s.part("the crowd had everything", func(*testing.T) { crowd.judge() })
	s.part("the hub has another address", s.hubMoved)
	if said := p.For(t).Complaints(); len(said) > 0 {
		t.Logf("the page said in its console: %q", said)
	}
}

// trust is the first minute of a phone: it has the setup link's address and nothing else.
func (s *street) trust(t *testing.T) {
	if code, to := s.redirected(s.clear("/")); code != http.StatusPermanentRedirect || to != s.url("/") {
		t.Errorf("without TLS the phone gets %d to %s", code, to)
	}
	b := chromium.Start(t, chromium.Options{Start: s.phone.Start})
	p := b.Open(t, 390, 844)
	if err := p.Visit(s.url("/")); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("before the authority is trusted the phone sees %v", err)
	}
	p.Go(s.clear("/trust"))
	status, err := s.Client.TLS(t.Context())
	if err != nil || status.Authority == nil {
		t.Fatalf("%+v %v", status, err)
	}
	shown := p.Text(`document.body.innerText.replace(/[^0-9A-Fa-f]/g, "").toUpperCase()`)
	if want := strings.ReplaceAll(status.Authority.SHA256, ":", ""); !strings.Contains(shown, want) {
		t.Errorf("the page does not show the fingerprint %s", status.Authority.SHA256)
	}
	code, text := s.get(s.clear("/trust/porchlight-ca.crt"))
	if code != http.StatusOK || text != status.Authority.PEM {
		t.Fatalf("the certificate: %d %.80s", code, text)
	}
	if strings.Contains(text, "PRIVATE") {
		t.Fatal("the key is given away")
	}
	if err := os.WriteFile(s.ca, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// redirected asks without following.
func (s *street) redirected(url string) (int, string) {
	s.t.Helper()
	web := s.web(nil)
	web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := web.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, res.Header.Get("Location")
}

// page signs the owner in by the setup link, on the phone; another machine's person has
// to choose a password first.
func (s *street) page() *chromium.Page {
	s.t.Helper()
	s.b = s.browser()
	link, err := url.Parse(s.SetupURL)
	if err != nil {
		s.t.Fatal(err)
	}
	p := s.b.Open(s.t, 390, 844)
	p.Script(eyes)
	p.Go(s.url(link.RequestURI()))
	p.Until("a password is asked for", `location.pathname === "/setup"`)
	p.Type("input[name=password]", password)
	p.Tap("main button[type=submit]")
	p.Until("the owner is in", `location.pathname === "/"`)
	return p
}

// hubMoved gives the house another address, as a router does; the certificate follows,
// and so do the answers to offers.
func (s *street) hubMoved(t *testing.T) {
	s.cable.A.Replace(house4, house4Next)
	origin := "https://" + net.JoinHostPort(house4Next.Addr().String(), pagesPort)
	moved := time.Now()
	hubtest.Eventually(t, "the certificate is for the new address", func() bool {
		c, err := s.phone.DialContext(t.Context(), "tcp", net.JoinHostPort(house4Next.Addr().String(), pagesPort))
		if err != nil {
			return false
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), hubtest.Within)
		defer cancel()
		tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		return tc.HandshakeContext(ctx) == nil && tc.ConnectionState().PeerCertificates[0].VerifyHostname(house4Next.Addr().String()) == nil
	})
	t.Logf("the certificate is for the new address after %s", time.Since(moved).Round(time.Millisecond))
	p := s.signIn(s.b, origin)
	p.Go(origin + "/cameras/gate")
	p.Until("WebRTC at the new address", shows("gate", "webrtc"))
	if pair := p.Text("JSON.stringify(await __eyes.pair())"); !strings.Contains(pair, house4Next.Addr().String()) {
		t.Errorf("the pictures come by %s", pair)
	}
}
