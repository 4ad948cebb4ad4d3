package api

import (
	"net"
	"net/http"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// cookieName of the session. Without TLS the __Host- prefix is not possible.
const cookieName = "porchlight_session"

// Door lets people in and out by cookie, and programs in by token; pages and API share it.
type Door struct {
	access *access.Access
	secure string
	ended  func()
}

// NewDoor makes the door to what access guards. Where a request names secureHost, the
// browser came by HTTPS through a proxy, and its cookie is for HTTPS only; empty: none.
// ended is called after sessions ended, so that what they hold open is looked at.
func NewDoor(a *access.Access, secureHost string, ended func()) *Door {
	return &Door{access: a, secure: secureHost, ended: ended}
}

// Login checks the password and sets the cookie. The error is one of access's refusals.
func (d *Door) Login(w http.ResponseWriter, r *http.Request, user, password string) (access.Identity, error) {
	if user == "" {
		user = access.Owner
	}
	session, id, err := d.access.Login(r.Context(), user, password, remote(r))
	if err != nil {
		return access.Identity{}, err
	}
	d.setCookie(w, r, session)
	return id, nil
}

// Claim takes a setup token and sets the cookie.
func (d *Door) Claim(w http.ResponseWriter, r *http.Request, token string) (access.Identity, error) {
	session, id, err := d.access.Claim(r.Context(), token, remote(r))
	if err != nil {
		return access.Identity{}, err
	}
	d.setCookie(w, r, session)
	return id, nil
}

// SetPassword of the person who asks.
func (d *Door) SetPassword(r *http.Request, current, password string) error {
	id, ok := access.From(r.Context())
	if !ok {
		return access.ErrLogin
	}
	defer d.ended()
	return d.access.SetPassword(r.Context(), id, current, password)
}

// Logout ends the session and takes the cookie back.
func (d *Door) Logout(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	id, ok := access.From(r.Context())
	if !ok || id.Via != access.ViaSession {
		return nil
	}
	defer d.ended()
	return d.access.Logout(r.Context(), id)
}

// Identify finds who asks: by the token that the request bears (RFC 6750), else by the
// cookie. A proxy may put a bearer of its own into every request; only ours counts.
func (d *Door) Identify(r *http.Request) (access.Identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	bearing := strings.EqualFold(scheme, "Bearer")
	if token = strings.TrimSpace(token); bearing && strings.HasPrefix(token, "plt_") {
		return d.access.Bearer(r.Context(), token)
	}
	c, err := r.Cookie(cookieName)
	switch {
	case err == nil:
		return d.access.Session(r.Context(), c.Value)
	case bearing:
		return access.Identity{}, access.ErrToken
	}
	return access.Identity{}, access.ErrLogin
}

func (d *Door) setCookie(w http.ResponseWriter, r *http.Request, session string) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: session, Path: "/", MaxAge: int(access.SessionLife().Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil || d.secure != "" && r.Host == d.secure,
	})
}

func remote(r *http.Request) access.Remote {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return access.Remote{Address: host, Agent: r.UserAgent()}
}

// SafeNext gives where to go after a login: a path of ours, never another host.
func SafeNext(next string) string {
	// Browsers read a backslash as a slash and drop control characters.
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") || len(next) > 512 {
		return "/"
	}
	return next
}
