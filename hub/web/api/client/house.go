package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// maxPicture bounds one JPEG, in bytes.
const maxPicture = 16 << 20

func cameraPath(id, rest string) string { return "/cameras/" + url.PathEscape(id) + rest }

// Camera by id, with its sources.
func (c *Client) Camera(ctx context.Context, id string) (api.Camera, error) {
	return call[api.Camera](ctx, c, http.MethodGet, cameraPath(id, ""), nil)
}

// TestCamera looks at it afresh, over a connection of its own.
func (c *Client) TestCamera(ctx context.Context, id string) (api.CameraReport, error) {
	return call[api.CameraReport](ctx, c, http.MethodPost, cameraPath(id, "/test"), nil)
}

// Retry reaching a camera now.
func (c *Client) Retry(ctx context.Context, id string) error {
	_, err := call[none](ctx, c, http.MethodPost, cameraPath(id, "/retry"), nil)
	return err
}

// Picture is one JPEG of a camera.
type Picture struct {
	JPEG []byte
	Age  time.Duration // whole seconds
}

// Snapshot of a camera.
func (c *Client) Snapshot(ctx context.Context, id string) (Picture, error) {
	res, err := c.send(ctx, http.MethodGet, cameraPath(id, "/snapshot.jpg"), nil, nil)
	if err != nil {
		return Picture{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPicture+1))
	switch {
	case err != nil:
		return Picture{}, fmt.Errorf("client: snapshot of %s: read: %w", id, err)
	case len(b) > maxPicture:
		return Picture{}, fmt.Errorf("client: snapshot of %s: it is over %d bytes", id, maxPicture)
	case len(b) == 0:
		return Picture{}, fmt.Errorf("client: snapshot of %s: it is empty", id)
	}
	p := Picture{JPEG: b}
	if sec, err := strconv.Atoi(res.Header.Get("Age")); err == nil {
		p.Age = time.Duration(sec) * time.Second
	}
	return p, nil
}

// Hook is the URL that rings a camera.
func (c *Client) Hook(ctx context.Context, id string) (api.Hook, error) {
	return call[api.Hook](ctx, c, http.MethodGet, cameraPath(id, "/hook"), nil)
}

// RenewHook makes the URL worthless and gives another.
func (c *Client) RenewHook(ctx context.Context, id string) (api.Hook, error) {
	return call[api.Hook](ctx, c, http.MethodPost, cameraPath(id, "/hook"), nil)
}

// Files of the config, secrets masked.
func (c *Client) Files(ctx context.Context) ([]api.ConfigFile, error) {
	out, err := call[struct{ Files []api.ConfigFile }](ctx, c, http.MethodGet, "/config/files", nil)
	return out.Files, err
}

// House is how it is: what wants a person, the doctor's last look, the cameras.
func (c *Client) House(ctx context.Context) (api.Health, error) {
	return call[api.Health](ctx, c, http.MethodGet, "/health", nil)
}

// Doctor looks at the house and its machine; no areas: all.
func (c *Client) Doctor(ctx context.Context, areas ...string) (api.Checked, error) {
	path := "/doctor"
	if len(areas) > 0 {
		path += "?" + url.Values{"area": {strings.Join(areas, ",")}}.Encode()
	}
	return call[api.Checked](ctx, c, http.MethodPost, path, nil)
}

// Tokens of programs, the newest first.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	out, err := call[struct{ Tokens []api.Token }](ctx, c, http.MethodGet, "/tokens", nil)
	return out.Tokens, err
}

// NewToken makes one; only this answer has its secret.
func (c *Client) NewToken(ctx context.Context, name string, scopes, cameras []string, expires time.Time) (api.Token, error) {
	in := struct {
		Name    string    `json:"name"`
		Scopes  []string  `json:"scopes"`
		Cameras []string  `json:"cameras,omitempty"`
		Expires time.Time `json:"expires,omitzero"`
	}{name, append([]string{}, scopes...), cameras, expires}
	return call[api.Token](ctx, c, http.MethodPost, "/tokens", in)
}

// RevokeToken makes it worthless.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := call[none](ctx, c, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil)
	return err
}

// errPath: what is no route is not sent.
var errPath = errors.New("client: a path begins with /, as /cameras")

// Do asks anything of the API: path begins after /api/v1, or with it. The caller closes
// the body. A refusal is an *api.Problem.
func (c *Client) Do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	path = strings.TrimPrefix(path, api.Prefix)
	if !strings.HasPrefix(path, "/") {
		return nil, errPath
	}
	return c.send(ctx, method, path, body, nil)
}

// TLS is how the hub's pages are encrypted.
func (c *Client) TLS(ctx context.Context) (api.TLS, error) {
	return call[api.TLS](ctx, c, http.MethodGet, "/tls", nil)
}

// RenewTLS makes a new certificate now, or reads the owner's files again.
func (c *Client) RenewTLS(ctx context.Context) (api.TLS, error) {
	return call[api.TLS](ctx, c, http.MethodPost, "/tls/renew", nil)
}
