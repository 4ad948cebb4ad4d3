//go:build linux

package chromium_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/chromium"
	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

// echo is a page that sends its microphone to itself by WebRTC and shows what comes.
const echo = `<!doctype html><title>echo</title><button id=go>go</button><input id=in><video id=v playsinline></video><script>
go.onclick = async () => {
	const mic = await navigator.mediaDevices.getUserMedia({audio: {echoCancellation: true, noiseSuppression: true, autoGainControl: true}});
	const a = new RTCPeerConnection(), b = new RTCPeerConnection();
	window.found = [];
	a.onicecandidate = (e) => { if (e.candidate) { found.push(e.candidate.address); b.addIceCandidate(e.candidate); } };
	b.onicecandidate = (e) => { if (e.candidate) a.addIceCandidate(e.candidate); };
	b.ontrack = (e) => { v.srcObject = e.streams[0]; v.play(); };
	for (const t of mic.getTracks()) a.addTrack(t, mic);
	await a.setLocalDescription(); await b.setRemoteDescription(a.localDescription);
	await b.setLocalDescription(); await a.setRemoteDescription(b.localDescription);
	window.pc = a;
};
document.onkeydown = (e) => { window.key = e.key; };
go.addEventListener("pointerdown", () => { window.down = true; });
</script>`

// serve gives a page by HTTPS, with a certificate of an authority whose file it gives too.
func serve(t *testing.T, ip, page string) (url, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A house"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "hub"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", ip+":0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, page) })}
	go server.Serve(l) // until it is closed
	t.Cleanup(func() { server.Close() })
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return "https://" + l.Addr().String() + "/", ca
}

// TestPhone is a browser on another machine: it trusts a house's own authority after
// that was installed, sees what the finger does, and hears its microphone by WebRTC.
func TestPhone(t *testing.T) {
	netns.Need(t, "certutil")
	phone := netns.NewHost(t, "phone")
	netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24")}},
		netns.End{Host: phone, Interface: "wlan0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}})
	url, ca := serve(t, "10.77.0.1", echo)
	tone := filepath.Join(t.TempDir(), "tone.wav")
	chromium.Tone(t, tone, 1000)
	b := chromium.Start(t, chromium.Options{Start: phone.Start, Microphone: tone, Args: []string{"--disable-features=WebRtcHideLocalIpsWithMdns"}})

	p := b.Open(t, 390, 844)
	if err := p.Visit(url); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("before the authority is trusted: %v", err)
	}
	b = chromium.Start(t, chromium.Options{Start: phone.Start, CA: ca, Microphone: tone, Args: []string{"--disable-features=WebRtcHideLocalIpsWithMdns"}})
	p = b.Open(t, 390, 844)
	p.Go(url)
	lift := p.Hold("#go")
	p.Until("the finger is seen", "window.down")
	lift()
	p.Until("the browser hears itself", `window.pc?.iceConnectionState === "connected"`)
	if found := p.Text("found"); !strings.Contains(found, "10.77.0.2") {
		t.Errorf("it offers %s", found)
	}
	t.Logf("heard %+v", p.Hear("#v", 1000, -60))
	p.Press("f")
	p.Until("the key", `window.key === "f"`)
	p.Type("#in", "a word")
	p.Until("the word", `document.getElementById("in").value === "a word"`)
	if said := p.Complaints(); len(said) > 1 { // its icon alone
		t.Errorf("the page complains: %q", said)
	}
	p.Do(`console.error("ouch")`)
	p.Until("a complaint is kept", "true")
	if said := strings.Join(p.Complaints(), " "); !strings.Contains(said, "ouch") {
		t.Errorf("the page's complaint is lost: %q", said)
	}
}
