package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// StreamPasswords of the house, and where they open what.
func (c *Client) StreamPasswords(ctx context.Context) (api.StreamPasswords, error) {
	return call[api.StreamPasswords](ctx, c, http.MethodGet, "/stream-passwords", nil)
}

// NewStreamPassword makes one; only this answer has it.
func (c *Client) NewStreamPassword(ctx context.Context, name string, talk bool, cameras []string) (api.StreamPassword, error) {
	in := struct {
		Name    string   `json:"name"`
		Talk    bool     `json:"talk,omitempty"`
		Cameras []string `json:"cameras,omitempty"`
	}{name, talk, cameras}
	return call[api.StreamPassword](ctx, c, http.MethodPost, "/stream-passwords", in)
}

// RevokeStreamPassword makes it worthless.
func (c *Client) RevokeStreamPassword(ctx context.Context, id string) error {
	_, err := call[none](ctx, c, http.MethodDelete, "/stream-passwords/"+url.PathEscape(id), nil)
	return err
}
