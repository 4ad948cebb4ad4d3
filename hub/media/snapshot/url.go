package snapshot

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/httpcam"
)

const (
	// urlTime is what the camera gets for one picture, logins and redirects with it.
	urlTime = 2 * time.Second
	// urlRest: a camera is not asked more often; its last answer is good for so long.
	urlRest = time.Second
	// failRest: after a failure that may pass.
	failRest = 5 * time.Second
	// loginRest: after a refused login. Cameras lock out who tries more.
	loginRest = 5 * time.Minute
	// maxRedirects, all on the camera itself.
	maxRedirects = 3
)

// URL is where a camera gives a JPEG. The URL itself has no user and no password in it;
// Fingerprint, "sha256:" and hex digits, is that of the certificate of an https camera.
type URL struct{ URL, Username, Password, Fingerprint string }

// String keeps what is secret out of logs; a query may hold a password too.
func (u URL) String() string {
	p, err := url.Parse(u.URL)
	if err != nil || p.Host == "" {
		return "***"
	}
	return p.Scheme + "://" + p.Host + "/***"
}

// link is the way to one snapshot URL. It is for one goroutine at a time, except close.
type link struct {
	url    URL
	client *http.Client

	mu        sync.Mutex
	challenge *challenge // that worked
	digests   bool       // the camera has taken a digest: it does not need the password itself
	asked     time.Time
	rest      time.Duration // from asked on
	err       error         // of the last answer
}

func newLink(u URL) *link {
	l := &link{url: u}
	l.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        pinned(u.Fingerprint),
			MaxConnsPerHost:        1,
			IdleConnTimeout:        10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return l
}

func (l *link) close() { l.client.CloseIdleConnections() }

// get asks the camera. An empty picture without an error says that the last one is new enough.
func (l *link) get(ctx context.Context) (media.Picture, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.asked) < l.rest {
		return media.Picture{}, l.err
	}
	ctx, cancel := context.WithTimeout(ctx, urlTime)
	defer cancel()
	b, err := l.fetch(ctx)
	l.asked, l.err, l.rest = time.Now(), err, urlRest
	if err != nil {
		l.rest = failRest
		var f *Fault
		if errors.As(err, &f) && f.code == "E-SNAP-LOGIN" {
			l.rest = loginRest
		}
		return media.Picture{}, err
	}
	return media.Picture{JPEG: b, Received: time.Now()}, nil
}

// noPicture notes that what came is none.
func (l *link) noPicture(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.rest = fault("E-SNAP-URL", "the answer is no JPEG", "open the URL in a browser: it must show one still picture", err), failRest
	return l.err
}

func fault(code, what, hint string, cause error) *Fault { return &Fault{code, what, hint, cause} }

// fetch goes through login and redirects.
func (l *link) fetch(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(l.url.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, fault("E-SNAP-URL", "it is no URL of a picture", "write http://ADDRESS/PATH, with username and password as keys of their own", nil)
	}
	tried := false // with this password and a challenge of just now
	for redirects := 0; ; {
		res, err := l.send(ctx, u)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode == http.StatusUnauthorized:
			c, err := pick(res.Header)
			drain(res)
			// Who took a digest does not get the password itself, whatever it asks for now.
			weaker := err == nil && c.digest == nil && l.digests
			if err != nil || l.url.Username == "" || tried || weaker {
				l.challenge = nil
				return nil, l.refused(err)
			}
			l.challenge, tried = c, true
		case res.StatusCode >= 300 && res.StatusCode < 400:
			to, err := redirect(u, res.Header.Get("Location"))
			drain(res)
			if redirects++; err != nil || redirects > maxRedirects {
				return nil, fault("E-SNAP-URL", "the camera leads elsewhere", "give the URL that it leads to, if that is the camera itself", err)
			}
			u = to
		default:
			l.digests = l.digests || res.StatusCode == http.StatusOK && l.challenge != nil && l.challenge.digest != nil
			return body(res)
		}
	}
}

func (l *link) refused(err error) error {
	switch {
	case err != nil:
		return fault("E-SNAP-LOGIN", "the camera asks for a login of a kind that is not known here", "switch the camera's HTTP login to Digest or Basic", err)
	case l.url.Username == "":
		return fault("E-SNAP-LOGIN", "the camera asks for a login", "add username and password to the camera's source", nil)
	}
	return fault("E-SNAP-LOGIN", "the camera refused the login", "check username and password; it is tried again in 5 minutes, or at once when they change", nil)
}

func (l *link) send(ctx context.Context, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault("E-SNAP-URL", "it is no URL of a picture", "write http://ADDRESS/PATH", nil)
	}
	req.Header.Set("User-Agent", "Porchlight")
	req.Header.Set("Accept", "image/jpeg, */*;q=0.5")
	if l.challenge != nil {
		if err := l.challenge.answer(req, l.url.Username, l.url.Password); err != nil {
			return nil, l.refused(err)
		}
	}
	res, err := l.client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	return res, nil
}

// unreachable leaves the URL out, which http puts into its errors.
func unreachable(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var cert *tls.CertificateVerificationError
	var pin *pinError
	var ne net.Error
	switch {
	case errors.As(err, &cert) && len(cert.UnverifiedCertificates) > 0:
		print := httpcam.Fingerprint(cert.UnverifiedCertificates[0].Raw)
		return fault("E-SNAP-CERT", "nobody vouches for the camera's certificate", "if it is the camera's own, add fingerprint: "+print, cert.Err)
	case errors.As(err, &pin):
		return fault("E-SNAP-CERT", "the camera has another certificate than the one pinned", "if the camera was reset or renewed its own, set fingerprint: "+pin.got, nil)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout():
		return fault("E-SNAP-URL", "the camera gave no picture within 2 s", "check the address, and whether the camera is busy", nil)
	}
	return fault("E-SNAP-URL", "the camera cannot be reached", "check the address and the port of its snapshot URL", err)
}

// body reads the picture of an answer.
func body(res *http.Response) ([]byte, error) {
	defer drain(res)
	switch {
	case res.StatusCode == http.StatusForbidden:
		return nil, fault("E-SNAP-LOGIN", "the camera forbids this user the picture", "give the user the right to live view, in the camera's settings", nil)
	case res.StatusCode != http.StatusOK:
		return nil, fault("E-SNAP-URL", fmt.Sprintf("the camera answered %d", res.StatusCode), "open the URL in a browser; the camera's manual or its preset names the right path", nil)
	case strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "multipart/"):
		return nil, fault("E-SNAP-URL", "it is a stream of pictures, not one", "use it as the camera's url, and leave snapshot_url out", nil)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, av.MaxUnit+1))
	switch {
	case err != nil:
		return nil, unreachable(err)
	case len(b) > av.MaxUnit:
		return nil, fault("E-SNAP-URL", "the answer has over 8 MiB", "it must be one JPEG; choose a smaller picture in the camera", nil)
	case len(b) == 0:
		return nil, fault("E-SNAP-URL", "the answer is empty", "open the URL in a browser: it must show one still picture", nil)
	}
	return b, nil
}

// drain lets the connection be used again where little is left to read.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	_ = res.Body.Close()
}

// redirect is where the camera leads to: to itself, and never out of TLS.
func redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || location == "" {
		return nil, errors.New("it does not say where")
	}
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return u.Scheme
	}
	up := from.Scheme == "http" && to.Scheme == "https"
	if !strings.EqualFold(from.Hostname(), to.Hostname()) || to.User != nil || !up && (from.Scheme != to.Scheme || port(from) != port(to)) {
		return nil, errors.New("another host")
	}
	return to, nil
}

type pinError struct{ got string }

func (e *pinError) Error() string { return "the certificate is not the pinned one" }

// pinned trusts one certificate only, or, without one, those that the system trusts.
func pinned(pin string) *tls.Config {
	if pin == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	want := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(pin), "sha256:"), ":", ""))
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection is stricter than a chain
		VerifyConnection: func(cs tls.ConnectionState) error {
			got := httpcam.Fingerprint(cs.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare([]byte(got), []byte("sha256:"+want)) != 1 {
				return &pinError{got}
			}
			return nil
		},
	}
}
