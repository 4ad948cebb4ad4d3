package sdk

import (
	"context"
	"maps"
	"net"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Dial connects through the hub, which checks host, address and port against the
// grant. Network is tcp, udp, or udp-listen with an address ":port" of this machine
// (which needs the rule listen: lan). It fits http.Transport.DialContext.
func (h *Hub) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &Error{Call: "dial", Kind: ErrInvalid, Message: err.Error()}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, &Error{Call: "dial", Kind: ErrInvalid, Message: "port " + port + " is no number up to 65535"}
	}
	_, err = h.call(ctx, "dial", &pb.HubCall{C: &pb.HubCall_Dial{Dial: &pb.Dial{Network: network, Host: host, Port: uint32(n)}}})
	if err != nil {
		return nil, err
	}
	// A hub that dials passes the descriptor over dial.sock, which this sdk's
	// Describe does not list among its features.
	return nil, &Error{Call: "dial", Kind: ErrNotYet, Message: "this plugin's sdk is older than the hub's dialling"}
}

// Discover has the hub look for devices, at most 9 s: kind is mdns, ws-discovery or
// ssdp, query a service, a type or a search target.
func (h *Hub) Discover(ctx context.Context, kind, query string, wait time.Duration) ([]Found, error) {
	r, err := h.call(ctx, "discover", &pb.HubCall{C: &pb.HubCall_Discover{Discover: &pb.Discover{Kind: kind, Query: query, For: durationpb.New(wait)}}})
	var out []Found
	for _, f := range r.GetDiscover().GetFound() {
		out = append(out, Found{ID: f.GetId(), Addresses: f.GetAddresses(), Attrs: f.GetAttrs()})
	}
	return out, err
}

// Found is a device that answered.
type Found struct {
	ID        string
	Addresses []string
	Attrs     map[string]string
}

// HTTPFetch has the hub fetch a URL within the grant; answers over 900 KiB are
// refused, redirects are not followed.
func (h *Hub) HTTPFetch(ctx context.Context, f FetchRequest) (FetchResponse, error) {
	r, err := h.call(ctx, "http fetch", &pb.HubCall{C: &pb.HubCall_HttpFetch{HttpFetch: &pb.HTTPFetch{
		Method: f.Method, Url: f.URL, Headers: maps.Clone(f.Headers), Body: f.Body, Credential: credentialToProto(f.Credential), Fingerprint: f.Fingerprint,
	}}})
	a := r.GetHttpFetch()
	return FetchResponse{Status: int(a.GetStatus()), Headers: a.GetHeaders(), Body: a.GetBody()}, err
}

// FetchRequest is a request that the hub carries out.
type FetchRequest struct {
	Method, URL string
	Headers     map[string]string
	Body        []byte
	Credential  Credential
	Fingerprint string // as StreamSource.Fingerprint, for https
}

// FetchResponse is what came back. Names of headers are in small letters, several
// values of one divided by line feeds.
type FetchResponse struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// RegisterWebhook opens a URL on the hub for a device to call; it stays the same.
// Each call comes as the plugin's action of that name, from the caller webhook, with
// the input {"method", "query", "content_type", "body"}, the body in base64.
func (h *Hub) RegisterWebhook(ctx context.Context, name string) (url string, err error) {
	r, err := h.call(ctx, "register webhook", &pb.HubCall{C: &pb.HubCall_RegisterWebhook{RegisterWebhook: &pb.RegisterWebhook{Name: name}}})
	return r.GetRegisterWebhook().GetUrl(), err
}
