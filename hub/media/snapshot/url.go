package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	login  httpcam.Login
	client *http.Client // logs in, pins, and keeps the password on the camera; nil: the URL is bad
	bad    error        // why

	mu    sync.Mutex
	asked time.Time
	rest  time.Duration // from asked on
	err   error         // of the last answer
}

func newLink(u URL) *link {
	l := &link{url: u}
	// A pin may be written without its prefix, as browsers show it.
	if f := u.Fingerprint; f != "" && !strings.HasPrefix(strings.ToLower(f), "sha256:") {
		u.Fingerprint = "sha256:" + f
	}
	if u.Username != "" {
		l.login = httpcam.Login{Username: u.Username, Password: u.Password}
	}
	client, err := httpcam.Client(httpcam.Options{URL: u.URL, Login: l.login, Fingerprint: u.Fingerprint, Answer: urlTime})
	if err != nil {
		l.bad = told(err)
		return l
	}
	l.client = client
	return l
}

func (l *link) close() {
	if l.client != nil {
		l.client.CloseIdleConnections()
	}
}

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

// fetch asks once, with login and redirects.
func (l *link) fetch(ctx context.Context) ([]byte, error) {
	if l.bad != nil {
		return nil, l.bad
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url.URL, nil)
	if err != nil {
		return nil, fault("E-SNAP-URL", "it is no URL of a picture", "write http://ADDRESS/PATH", nil)
	}
	req.Header.Set("User-Agent", "Porchlight")
	req.Header.Set("Accept", "image/jpeg, */*;q=0.5")
	res, err := l.client.Do(req)
	if err != nil {
		return nil, told(httpcam.Explain(ctx, req.URL.Host, err))
	}
	defer drain(res)
	if res.StatusCode != http.StatusOK {
		return nil, told(httpcam.Answered(req.URL.Host, res.StatusCode, l.login))
	}
	return body(ctx, res)
}

// told is a fault of the device in the words of snapshots.
func told(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault("E-SNAP-URL", "the camera gave no picture within 2 s", "check the address, and whether the camera is busy", nil)
	}
	var f *httpcam.Fault
	if !errors.As(err, &f) {
		return err
	}
	code := "E-SNAP-URL"
	switch f.Kind {
	case httpcam.LoginNeeded:
		code = "E-SNAP-LOGIN"
	case httpcam.Certificate:
		code = "E-SNAP-CERT"
	}
	return fault(code, f.Reason, f.Fix, f.Unwrap())
}

// body reads the picture of an answer.
func body(ctx context.Context, res *http.Response) ([]byte, error) {
	if strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "multipart/") {
		return nil, fault("E-SNAP-URL", "it is a stream of pictures, not one", "use it as the camera's url, and leave snapshot_url out", nil)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, av.MaxUnit+1))
	switch {
	case err != nil:
		return nil, told(httpcam.Explain(ctx, "", err))
	case len(b) > av.MaxUnit:
		return nil, fault("E-SNAP-URL", fmt.Sprintf("the answer has over %d MiB", av.MaxUnit>>20), "it must be one JPEG; choose a smaller picture in the camera", nil)
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
