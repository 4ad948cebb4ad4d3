package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/certs"
)

const (
	// certSoon before an owner's own certificate ends is worth a word.
	certSoon = 14 * 24 * time.Hour
	// certLate after the day on which the hub should have made a new one, something is wrong.
	certLate = 2 * 24 * time.Hour
	// caSoon: telling every device of a new authority takes its time.
	caSoon = 365 * 24 * time.Hour
)

// checkTLS looks at the certificate of the pages.
func checkTLS(ctx context.Context, d *Deps) []Finding {
	if d.Config == nil {
		return nil
	}
	hub := d.Config.Hub
	if !hub.TLS.On() {
		f := Finding{State: Skip, What: "hub.tls is off: the pages are at http://"}
		if !config.Loopback(hub.Listen) {
			f.Why = "browsers give no microphone to such pages, so nobody can talk at the door"
		}
		return []Finding{f}
	}
	st, err := certs.Look(filepath.Join(d.DataDir, "tls"), certs.Options{Mode: hub.TLS.Mode, CertFile: hub.TLS.Cert, KeyFile: hub.TLS.Key,
		Now: d.now, Names: func() []string { return certs.Names(hub.Name, hub.PublicURL) }})
	if err != nil {
		return []Finding{of(Fail, "", err, "")}
	}
	var out []Finding
	if st.Trouble != nil {
		out = append(out, of(Fail, "", st.Trouble, "browsers refuse the pages, or warn of them"))
	}
	if st.Warning != nil {
		out = append(out, of(Warn, "", st.Warning, "who has the key can pass for the hub"))
	}
	if st.Names == nil {
		if st.Trouble == nil {
			out = append(out, Finding{State: Skip, What: "there is no certificate yet: the hub makes one when it starts"})
		}
		return out
	}
	out = append(out, lasts(d, st))
	out = append(out, named(hub, st)...)
	if st.CA != nil {
		out = append(out, authority(d, st.CA))
	}
	if d.Address != "" {
		out = append(out, served(ctx, d.Address, st))
	}
	return out
}

// lasts tells how long the certificate is good.
func lasts(d *Deps, st certs.Status) Finding {
	left, day := st.NotAfter.Sub(d.now()), st.NotAfter.Format(time.DateOnly)
	switch {
	case left <= 0:
		return Finding{State: Fail, What: "the certificate ended on " + day, Why: "browsers warn of the pages, and apps refuse them",
			Fix: "porchlight tls renew", Code: certs.CodeExpired}
	case st.Renews.IsZero() && left < certSoon:
		return Finding{State: Warn, What: fmt.Sprintf("the certificate ends in %s, on %s", plural(int(left.Hours()/24), "day"), day), Why: "browsers warn of the pages then",
			Fix: "renew it where it came from; the hub takes the new files by itself"}
	case !st.Renews.IsZero() && d.Address != "" && d.now().Sub(st.Renews) > certLate:
		return Finding{State: Warn, What: "the certificate should have been renewed on " + st.Renews.Format(time.DateOnly), Fix: "porchlight tls renew tells why it was not"}
	}
	return Finding{State: OK, What: "the certificate is good until " + day}
}

// named tells whether the certificate is for what the hub is called.
func named(hub config.Hub, st certs.Status) []Finding {
	u, err := url.Parse(hub.PublicURL)
	if err != nil || hub.PublicURL == "" {
		return nil
	}
	if host := u.Hostname(); slices.Contains(st.Missing, host) {
		return []Finding{{State: Warn, What: "the certificate is not for " + host + ", the name in hub.public_url", Code: certs.CodeNames,
			Why: "browsers that open the hub by that name warn", Fix: "porchlight tls status lists the names that it is for"}}
	}
	return []Finding{{State: OK, What: "the certificate is for " + u.Hostname() + ", the name in hub.public_url"}}
}

// authority tells of the hub's own one.
func authority(d *Deps, ca *certs.CA) Finding {
	if ca.NotAfter.Sub(d.now()) < caSoon {
		return Finding{State: Warn, What: fmt.Sprintf("the hub's authority %s ends on %s", ca.Name, ca.NotAfter.Format(time.DateOnly)),
			Why: "no device trusts the hub after that", Fix: "when it suits you, move tls/ca.pem and tls/ca.key away, run porchlight tls renew, and open /trust on each device"}
	}
	f := Finding{State: OK, What: fmt.Sprintf("devices that were shown /trust know the hub's authority, %s, until %d", ca.Name, ca.NotAfter.Year())}
	if pool, err := x509.SystemCertPool(); err == nil {
		if cert, err := x509.ParseCertificate(ca.DER); err == nil {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
				f.What += "; this machine's own programs do not"
			}
		}
	}
	return f
}

// served asks the running hub for its certificate, as a browser does.
func served(ctx context.Context, addr string, st certs.Status) Finding {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	host, _, _ := net.SplitHostPort(reachable(addr))
	conf := &tls.Config{ServerName: cmp.Or(host, "localhost"), MinVersion: tls.VersionTLS12}
	if st.CA != nil {
		conf.RootCAs = x509.NewCertPool()
		conf.RootCAs.AppendCertsFromPEM(st.CA.PEM)
	} else {
		conf.InsecureSkipVerify = true // the owner's names and signers are the owner's; only whether it answers is asked
	}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", reachable(addr))
	if err != nil {
		return Finding{State: Fail, What: fmt.Sprintf("the hub on %s does not answer by https: %v", addr, err), Why: "no browser opens the pages",
			Fix: "porchlight tls renew; the hub's log tells more"}
	}
	conn.Close()
	return Finding{State: OK, What: "the hub answers by https on " + addr}
}
