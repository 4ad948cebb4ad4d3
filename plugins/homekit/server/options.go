package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
)

// Options is what a server is made of.
type Options struct {
	Book        *store.Accessory
	Accessories []*accessory.A
	Category    byte   // 18 video doorbell, 17 IP camera, 2 bridge
	Name, Model string // as announced
	Port        int    // 0: the one kept in the book, else any; one that is taken: another, kept
	Announcer   Announcer
	// Resource answers POST /resource of a verified controller. status is a HAP status, 0
	// when jpeg is the picture.
	Resource func(ctx context.Context, p *Peer, r Resource) (jpeg []byte, status int)
	Identify func()
	// Subscribed is called after the subscription is in force and its request answered.
	Subscribed func(p *Peer, c *characteristic.C)
	Log        *slog.Logger
	Now        func() time.Time
}

// Resource is the body of POST /resource; the sizes are as asked, unchecked but never
// negative.
type Resource struct {
	AID           uint64
	Kind          string // "image"
	Width, Height int
	Reason        int // 0 periodic, 1 event, -1 not said
}

// Announcement is one mDNS record of _hap._tcp.
type Announcement struct {
	Name string
	Port int
	TXT  map[string]string
}

// Announcer makes the server known on the network.
type Announcer interface {
	Announce(ctx context.Context, a Announcement) (Announced, error)
}

// Announced is a record that stands until it is closed.
type Announced interface {
	Update(txt map[string]string) error
	Name() string // now: it may get a number; "" while it is not heard of yet
	Close()
}
