package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/config"
)

// answerWithin bounds the wait for the hub's own page.
const answerWithin = 5 * time.Second

func checkNetwork(ctx context.Context, d *Deps) []Finding {
	var out []Finding
	switch {
	case d.Address != "":
		out = append(out, answers(ctx, d.Address))
	case d.Config != nil && d.Listen != nil:
		out = append(out, free(ctx, d))
	}
	if d.Ways != nil {
		out = append(out, d.Ways()...)
	}
	if d.Config == nil {
		return out
	}
	hub := d.Config.Hub
	out = append(out, interfaces(hub.WebRTC.Interfaces)...)
	if config.Loopback(hub.Listen) {
		return append(out, Finding{State: OK, What: hub.Listen + " can be reached from this machine only"})
	}
	if hub.TLS.On() {
		return append(out, Finding{State: OK, What: hub.Listen + " is open to the network, by https"})
	}
	return append(out, Finding{State: Warn, What: hub.Listen + " is open to the network without TLS",
		Why: "passwords and pictures cross the network in clear",
		Fix: "set hub.tls: {mode: local-ca}, or keep it if you trust everyone on that network"})
}

// interfaces finds the names that this machine does not know.
func interfaces(names []string) []Finding {
	has, err := net.Interfaces()
	if err != nil {
		return nil // the system does not tell
	}
	var known []string
	for _, i := range has {
		known = append(known, i.Name)
	}
	var out []Finding
	for _, name := range names {
		if !slices.Contains(known, name) {
			out = append(out, Finding{State: Warn, What: fmt.Sprintf("hub.webrtc.interfaces names %s, which this machine does not have", name),
				Why: "live pictures go out by the named interfaces only", Fix: "name some of these: " + strings.Join(known, ", ")})
		}
	}
	return out
}

// answers asks the running hub for a sign of life, over the address that browsers use.
func answers(ctx context.Context, addr string) Finding {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(addr)+"/healthz", nil)
	if err != nil {
		return Finding{State: Fail, What: fmt.Sprintf("the hub's address %s is none: %v", addr, err)}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	res, err := client.Do(req)
	if err != nil {
		return Finding{State: Fail, What: fmt.Sprintf("the hub does not answer on %s: %v", addr, err),
			Why: "pages, apps and hooks reach it there", Fix: "look for a firewall on this machine, then start the hub again"}
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Finding{State: Warn, What: fmt.Sprintf("the hub on %s is not ready yet (%s)", addr, res.Status), Fix: "wait a few seconds and look again; the hub's log tells what it waits for"}
	}
	return Finding{State: OK, What: "the hub answers on " + addr}
}

// reachable makes an address that listens everywhere one that can be dialled.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// free tries the port as a starting hub would, and lets it go again.
func free(ctx context.Context, d *Deps) Finding {
	hub := d.Config.Hub
	ln, err := d.Listen(ctx, hub.Listen, hub.Insecure || hub.TLS.On())
	if err != nil {
		return of(Fail, "", err, "the hub would not start")
	}
	ln.Close()
	return Finding{State: OK, What: hub.Listen + " is free"}
}
