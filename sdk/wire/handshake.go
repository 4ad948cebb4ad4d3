package wire

import (
	"context"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
)

const (
	// ProtocolVersion is the go-plugin protocol number: the major of package porchlight.plugin.
	ProtocolVersion = 1
	// CookieKey and CookieValue tell a plugin that a hub started it. No secret:
	// they only make a start by hand end with a sentence.
	CookieKey   = "PORCHLIGHT_PLUGIN"
	CookieValue = "1b4c7a52-the-porch-light-is-on"
	// PluginName is the one entry of the plugin set.
	PluginName = "plugin"
	// MaxMessage is the most bytes of one message, either way. The library's own
	// limit of 2 GB would let a plugin take all of the hub's memory.
	MaxMessage = 1 << 20
	// Window is the static flow-control window of a stream and of the connection:
	// it bounds how many events of a plugin are in flight while the hub paces its reading.
	Window = 64 << 10
	// Credits is how many publishes a plugin may have unanswered on each of the two
	// streams when the stream opens. Each PublishResult frees one; a Credit message adds more.
	Credits = 256
)

// Handshake is what hub and plugin must agree upon before they connect.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: ProtocolVersion, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue}
}

// Serving is the plugin's side of the set: it registers srv on go-plugin's gRPC server.
func Serving(srv pluginv1grpc.PluginServer) plugin.PluginSet {
	return plugin.PluginSet{PluginName: &endpoint{srv: srv}}
}

// Calling is the hub's side of the set: Dispense(PluginName) gives a pluginv1grpc.PluginClient.
func Calling() plugin.PluginSet {
	return plugin.PluginSet{PluginName: &endpoint{}}
}

// NewClient calls a plugin over a connection that is already there.
func NewClient(conn grpc.ClientConnInterface) pluginv1grpc.PluginClient {
	return pluginv1grpc.NewPluginClient(conn)
}

// NewServer makes the plugin's gRPC server with the limits of this package added to opts.
func NewServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts,
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.StaticStreamWindowSize(Window), grpc.StaticConnWindowSize(Window),
	)...)
}

// DialOptions are the hub's half of the same limits, for go-plugin's GRPCDialOptions.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithStaticStreamWindowSize(Window), grpc.WithStaticConnWindowSize(Window),
	}
}

// endpoint is the entry of the plugin set; srv is nil on the hub's side.
type endpoint struct {
	plugin.NetRPCUnsupportedPlugin
	srv pluginv1grpc.PluginServer
}

// GRPCServer registers the plugin. The broker stays unused: two streams carry all
// traffic towards the hub, which other languages can do without go-plugin.
func (e *endpoint) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginv1grpc.RegisterPluginServer(s, e.srv)
	return nil
}

// GRPCClient is called by Dispense; the result is a pluginv1grpc.PluginClient.
func (e *endpoint) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (interface{}, error) {
	return NewClient(conn), nil
}

// Features are the names of what this side knows beyond protocol 1's first form;
// there is none yet. Additions inside a major are gated by such names.
func Features() []string { return nil }
