package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

const (
	// maxAnswer bounds one answer; the longest is a page of 500 events.
	maxAnswer = 32 << 20
	dialTime  = 3 * time.Second
)

// NotRunning says that no hub answers on the data folder, or at the address.
type NotRunning struct {
	DataDir string
	Address string // of a hub elsewhere; DataDir is empty then
	cause   error
}

func (e *NotRunning) Error() string {
	if e.Address != "" {
		return "no hub answers at " + e.Address
	}
	return "no hub runs on " + e.DataDir
}

// Code names the error.
func (e *NotRunning) Code() string { return "E-CLI-NOT-RUNNING" }

// Hint says how to mend it.
func (e *NotRunning) Hint() string {
	if e.Address != "" {
		return "Open that address in a browser of this machine; a hub listens on other addresses than loopback only where its config says so."
	}
	return "Start it with `porchlight run`, or name its config with --config so that its data folder is found."
}

// Unwrap gives what the system said.
func (e *NotRunning) Unwrap() error { return e.cause }

// Client of one hub. Safe for concurrent use.
type Client struct {
	http    *http.Client
	base    string
	dataDir string // of the hub on this machine
	token   string // for one elsewhere
}

// Dial finds the hub that runs on dataDir and asks it for a sign of life.
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	socket, err := find(dataDir)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTime}
	c := &Client{base: "http://porchlight", dataDir: dataDir, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		MaxIdleConns:    4,
		IdleConnTimeout: time.Minute,
	}}}
	if _, err := c.Version(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close lets the connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// send asks and gives the answer's body, which the caller closes.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+api.Prefix+path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", path, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var bad *tls.CertificateVerificationError
		if errors.As(err, &bad) {
			return nil, &UnknownCert{Address: c.base, cause: bad.Err}
		}
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			if c.dataDir != "" {
				return nil, &NotRunning{DataDir: c.dataDir, cause: err}
			}
			return nil, &NotRunning{Address: c.base, cause: err}
		}
		return nil, fmt.Errorf("client: %s %s: %w", method, path, errors.Unwrap(err))
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return res, nil
	}
	defer res.Body.Close()
	p := &api.Problem{}
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || json.Unmarshal(b, p) != nil || p.Status == 0 {
		return nil, fmt.Errorf("client: %s %s: the hub answered %s", method, path, res.Status)
	}
	return nil, p
}

// call asks with JSON and reads JSON; in and out may be nil.
func call[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return out, fmt.Errorf("client: %s: encode: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	res, err := c.send(ctx, method, path, body, nil)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return out, fmt.Errorf("client: %s: read: %w", path, err)
	}
	if len(b) > maxAnswer {
		return out, fmt.Errorf("client: %s: the answer is over %d bytes", path, maxAnswer)
	}
	if len(b) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("client: %s: decode: %w", path, err)
	}
	return out, nil
}

type none struct{}

// Version of the hub that answers.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return call[api.Version](ctx, c, http.MethodGet, "/version", nil)
}

// Cameras of the house.
func (c *Client) Cameras(ctx context.Context) ([]api.Camera, error) {
	out, err := call[struct{ Cameras []api.Camera }](ctx, c, http.MethodGet, "/cameras", nil)
	return out.Cameras, err
}

// Ring a doorbell; test marks the ring as one.
func (c *Client) Ring(ctx context.Context, camera string, test bool) (eventID string, err error) {
	in := struct {
		Test bool `json:"test"`
	}{test}
	out, err := call[struct {
		EventID string `json:"event_id"`
	}](ctx, c, http.MethodPost, "/cameras/"+url.PathEscape(camera)+"/ring", in)
	return out.EventID, err
}

// Query selects events; zero fields do not narrow. Kinds nil is what happens at the
// door; the one kind "all" is everything.
type Query struct {
	Since, Until time.Time
	Camera       string
	Kinds        []string
	Limit        int
	Cursor       string // Next of the page before
}

// Events lists one page, newest first.
func (c *Client) Events(ctx context.Context, q Query) (api.EventList, error) {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("camera", q.Camera)
	set("kind", strings.Join(q.Kinds, ","))
	set("cursor", q.Cursor)
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if !q.Until.IsZero() {
		v.Set("until", q.Until.Format(time.RFC3339Nano))
	}
	return call[api.EventList](ctx, c, http.MethodGet, "/events?"+v.Encode(), nil)
}

// Event by id.
func (c *Client) Event(ctx context.Context, id string) (api.Event, error) {
	return call[api.Event](ctx, c, http.MethodGet, "/events/"+url.PathEscape(id), nil)
}

// Trace of an event.
func (c *Client) Trace(ctx context.Context, id string) (api.Trace, error) {
	return call[api.Trace](ctx, c, http.MethodGet, "/events/"+url.PathEscape(id)+"/trace", nil)
}

// Plugins and how they fare.
func (c *Client) Plugins(ctx context.Context) ([]api.Plugin, error) {
	out, err := call[struct{ Plugins []api.Plugin }](ctx, c, http.MethodGet, "/plugins", nil)
	return out.Plugins, err
}

// Plugin by its entry's name.
func (c *Client) Plugin(ctx context.Context, name string) (api.Plugin, error) {
	return call[api.Plugin](ctx, c, http.MethodGet, "/plugins/"+url.PathEscape(name), nil)
}

// Restart a plugin.
func (c *Client) Restart(ctx context.Context, name string) error {
	_, err := call[none](ctx, c, http.MethodPost, "/plugins/"+url.PathEscape(name)+"/restart", nil)
	return err
}

// Logs of a plugin, oldest first.
func (c *Client) Logs(ctx context.Context, name string, lines int) ([]api.LogLine, error) {
	out, err := call[struct{ Lines []api.LogLine }](ctx, c, http.MethodGet, fmt.Sprintf("/plugins/%s/logs?lines=%d", url.PathEscape(name), lines), nil)
	return out.Lines, err
}

// Act lets a plugin do something it declared.
func (c *Client) Act(ctx context.Context, plugin, action string, input json.RawMessage) (json.RawMessage, error) {
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	return call[json.RawMessage](ctx, c, http.MethodPost, "/plugins/"+url.PathEscape(plugin)+"/actions/"+url.PathEscape(action), input)
}

// Chimes of the house, and whether it is kept quiet.
func (c *Client) Chimes(ctx context.Context) ([]api.Chime, api.Quiet, error) {
	out, err := call[struct {
		Chimes []api.Chime
		Quiet  api.Quiet
	}](ctx, c, http.MethodGet, "/chimes", nil)
	return out.Chimes, out.Quiet, err
}

// TestChime lets one sound.
func (c *Client) TestChime(ctx context.Context, id string) (api.Played, error) {
	return call[api.Played](ctx, c, http.MethodPost, "/chimes/"+url.PathEscape(id)+"/test", nil)
}

// MuteChime silences one, or ends that.
func (c *Client) MuteChime(ctx context.Context, id string, muted bool) error {
	in := struct {
		Muted bool `json:"muted"`
	}{muted}
	_, err := call[api.Chime](ctx, c, http.MethodPost, "/chimes/"+url.PathEscape(id)+"/mute", in)
	return err
}

// SetQuiet keeps the house quiet for a while.
func (c *Client) SetQuiet(ctx context.Context, d time.Duration) (api.Quiet, error) {
	in := struct {
		For string `json:"for"`
	}{d.String()}
	return call[api.Quiet](ctx, c, http.MethodPost, "/quiet", in)
}

// EndQuiet lets the house sound again.
func (c *Client) EndQuiet(ctx context.Context) error {
	_, err := call[api.Quiet](ctx, c, http.MethodDelete, "/quiet", nil)
	return err
}

// Config that runs, and the problems of the one on disk.
func (c *Client) Config(ctx context.Context) (api.Config, error) {
	return call[api.Config](ctx, c, http.MethodGet, "/config", nil)
}

// Validate a config with what the running hub knows of its plugins.
func (c *Client) Validate(ctx context.Context, yaml []byte) ([]api.ConfigProblem, error) {
	in := struct {
		YAML string `json:"yaml"`
	}{string(yaml)}
	out, err := call[struct{ Problems []api.ConfigProblem }](ctx, c, http.MethodPost, "/config/validate", in)
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity && len(p.Errors) > 0 && p.Errors[0].Line > 0 {
		for _, f := range p.Errors {
			out.Problems = append(out.Problems, f.ConfigProblem())
		}
		return out.Problems, nil
	}
	return out.Problems, err
}

// Health lists what is wrong with the hub itself; nothing where all is well.
func (c *Client) Health(ctx context.Context) ([]api.Card, error) {
	out, err := call[struct{ Cards []api.Card }](ctx, c, http.MethodGet, "/health", nil)
	return out.Cards, err
}

// Explain an error code.
func (c *Client) Explain(ctx context.Context, code string) (api.Explanation, error) {
	return call[api.Explanation](ctx, c, http.MethodGet, "/explain/"+url.PathEscape(code), nil)
}

// SetupLink gives a link that signs its opener in as owner; with resetOwner the
// password is forgotten and every session ends.
func (c *Client) SetupLink(ctx context.Context, resetOwner bool) (api.SetupLink, error) {
	in := struct {
		ResetOwner bool `json:"reset_owner"`
	}{resetOwner}
	return call[api.SetupLink](ctx, c, http.MethodPost, "/admin/setup-link", in)
}
