package server

import (
	"context"
	"net/http"
	"net/netip"
	"sync/atomic"
)

// Peer is one verified connection of a controller.
type Peer struct {
	of    PeerInfo
	admin atomic.Bool // now: it may change while the connection is open
}

// PeerInfo is what a connection is known by.
type PeerInfo struct {
	ID            uint64 // no two of one server share it
	Controller    string // the pairing's name
	Admin         bool   // at first
	Local, Remote netip.AddrPort
	Done          <-chan struct{} // closed when the connection has ended
	Secret        [32]byte        // pair-verify's
}

// NewPeer is for the server, and for tests of what is called back with one.
func NewPeer(of PeerInfo) *Peer {
	p := &Peer{of: of}
	p.admin.Store(of.Admin)
	return p
}

// peerKey is the context key of a request's Peer.
type peerKey struct{}

// PeerOf says which connection a characteristic's callback is called for; nil when the
// request is not of this server.
func PeerOf(r *http.Request) *Peer {
	if r == nil {
		return nil
	}
	p, _ := r.Context().Value(peerKey{}).(*Peer)
	return p
}

// WithPeer is ctx for what is done on p's behalf.
func WithPeer(ctx context.Context, p *Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// ID is the connection's number; no two of one server share it.
func (p *Peer) ID() uint64 { return p.of.ID }

// Controller is the pairing's name.
func (p *Peer) Controller() string { return p.of.Controller }

// Admin says whether the pairing may change pairings now.
func (p *Peer) Admin() bool { return p.admin.Load() }

// Local is the address that the controller reached us at.
func (p *Peer) Local() netip.AddrPort { return p.of.Local }

// Remote is the controller's address.
func (p *Peer) Remote() netip.AddrPort { return p.of.Remote }

// Done is closed when the connection has ended.
func (p *Peer) Done() <-chan struct{} { return p.of.Done }

// Secret is pair-verify's shared secret, from which further keys are derived.
func (p *Peer) Secret() [32]byte { return p.of.Secret }
