package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Ways to encrypt the pages.
const (
	TLSOff     = "off"
	TLSFiles   = "files"
	TLSLocalCA = "local-ca"
)

// TLS says how the pages are encrypted. Cert and Key are absolute when decoded.
type TLS struct {
	Mode string `json:"mode" jsonschema:"enum=off,enum=files,enum=local-ca" jsonschema_description:"off; files: a certificate of yours; local-ca: the hub makes its own, which each device is told once to trust."`
	Cert string `json:"cert,omitempty" jsonschema:"minLength=1" jsonschema_description:"With files: the certificate and what it was signed by, PEM; relative to this file."`
	Key  string `json:"key,omitempty" jsonschema:"minLength=1" jsonschema_description:"With files: the path of its key, PEM; relative to this file."`
}

// On tells whether there is any.
func (t TLS) On() bool { return t.Mode == TLSFiles || t.Mode == TLSLocalCA }

// WebRTC says where the hub answers WebRTC: one port, UDP and TCP.
type WebRTC struct {
	Enabled    bool     `json:"enabled" jsonschema_description:"Without it pages show live pictures by MSE, a second or so later."`
	Port       int      `json:"port" jsonschema:"minimum=0,maximum=65535" jsonschema_description:"Of UDP and TCP; 0: any that is free."`
	TCP        bool     `json:"tcp" jsonschema_description:"TCP too, for networks that let no UDP through."`
	Interfaces []string `json:"interfaces" jsonschema:"minLength=1" jsonschema_description:"Network interfaces that it answers on, as eth0; none: all that are not only for containers."`
	STUN       []string `json:"stun" jsonschema:"format=stun-server" jsonschema_description:"Servers that tell the hub its outer address; none are asked unless named, as stun:stun.example.org:3478."`
}

// Restream says where the hub hands its cameras on by RTSP.
type Restream struct {
	Port int  `json:"port" jsonschema:"minimum=0,maximum=65535" jsonschema_description:"0: any that is free."`
	LAN  bool `json:"lan" jsonschema_description:"Other machines may read too. A stream password is always asked for; the picture itself is not encrypted on its way."`
}

func (l *loader) checkHub(hub *tree.Node) {
	mode := TLSOff
	if n := hub.Get("tls", "mode"); n.IsText() {
		mode = n.Text
	}
	if n := hub.Get("listen"); n.IsText() {
		if _, err := listenHost(n.Text); err == nil && !Loopback(n.Text) && mode == TLSOff && !hub.Get("insecure").IsTrue() {
			l.errorAt(n.Pos, n.Width(), "hub.listen", "E-CFG-INSECURE",
				"hub.listen %s can be reached from other machines, and without TLS everything would be readable on the way", tree.Clip(n.Text))
			l.hint("write hub.tls: {mode: local-ca}, or hub.insecure: true if you accept that")
		}
	}
	if allow := hub.Get("metrics", "allow"); allow != nil {
		for i, n := range allow.Items {
			if _, err := netip.ParsePrefix(n.Text); n.Kind == tree.Text && err != nil {
				l.errorAt(n.Pos, n.Width(), fmt.Sprintf("hub.metrics.allow[%d]", i), "E-CFG-VALUE",
					"hub.metrics.allow: %q is not a network: write for example 192.168.1.0/24", tree.Clip(n.Text))
			}
		}
	}
	l.checkTLS(hub, mode)
	l.checkPorts(hub)
}

// checkTLS holds the certificate's files against the mode.
func (l *loader) checkTLS(hub *tree.Node, mode string) {
	block := hub.Entry("tls")
	for _, key := range []string{"cert", "key"} {
		n, path := hub.Get("tls", key), "hub.tls."+key
		switch {
		case n.IsText() && strings.Contains(n.Text, "-----"):
			l.errorAt(n.Pos, 1, path, "E-CFG-VALUE", "%s is the path of a file, not what stands in it", path)
		case n.IsSet() && mode == TLSLocalCA:
			l.errorAt(n.Pos, n.Width(), path, "E-CFG-CONFLICT", "%s is for mode: files; with local-ca the hub makes its own", path)
		case n.IsSet() && !hub.Get("tls", "mode").IsSet():
			l.errorAt(n.Pos, n.Width(), path, "E-CFG-MISSING", "hub.tls has %s and no mode", key)
			l.hint("write mode: files")
		case !n.IsSet() && mode == TLSFiles && block != nil:
			l.errorAt(block.Pos, len("tls"), path, "E-CFG-MISSING", "hub.tls: mode: files needs %s, the path of a PEM file", key)
		}
	}
	public := hub.Get("public_url")
	if mode != TLSOff && public.IsText() && strings.HasPrefix(public.Text, "http://") {
		l.errorAt(public.Pos, public.Width(), "hub.public_url", "E-CFG-CONFLICT", "hub.public_url begins with http://, and with hub.tls the pages are at https://")
		l.faults[len(l.faults)-1].Warning = true
	}
}

// checkPorts refuses one TCP port for two.
func (l *loader) checkPorts(hub *tree.Node) {
	taken := map[int]string{}
	port := func(path ...string) {
		n, own := hub.Get(path...), defaultHub()
		value := map[string]int{"webrtc": own.WebRTC.Port, "rtsp": own.Restream.Port}[path[0]]
		name := "hub." + strings.Join(path, ".")
		switch {
		case path[0] == "listen":
			_, p, _ := net.SplitHostPort(own.Listen)
			if n.IsText() {
				_, p, _ = net.SplitHostPort(n.Text) // its form is checked elsewhere
			}
			value, _ = strconv.Atoi(p)
		case n.IsSet():
			value, _ = strconv.Atoi(n.Text)
		}
		if value <= 0 {
			return
		}
		if by := taken[value]; by != "" {
			at := n
			if at == nil {
				at = hub.Get(strings.Split(strings.TrimPrefix(by, "hub."), ".")...)
			}
			l.errorAt(at.Pos, at.Width(), name, "E-CFG-CONFLICT", "%s and %s are both port %d", by, name, value)
			return
		}
		taken[value] = name
	}
	port("listen")
	if on, tcp := hub.Get("webrtc", "enabled"), hub.Get("webrtc", "tcp"); (!on.IsSet() || on.IsTrue()) && (!tcp.IsSet() || tcp.IsTrue()) {
		port("webrtc", "port")
	}
	port("rtsp", "port")
}

// isWhole tells whether a flag's text is a number.
func isWhole(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// hideSecrets marks what must not be shown. The path of the certificate's key is named
// like a secret and is none, unless somebody wrote the key itself there.
func hideSecrets(root *tree.Node) {
	root.HideSecrets()
	n := root.Get("hub", "tls", "key")
	if n.IsText() && !tree.IsReference(n.Text) && n.Ref == "" && len(n.Text) < 512 && !strings.ContainsAny(n.Text, "\n=") && !strings.Contains(n.Text, "-----") {
		n.Secret = false
	}
}
