package controller

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net"
	"sync"
)

// Controller is one phone or home hub: a name and a key pair, and who it is paired with.
type Controller struct {
	Name string // its pairing identifier
	// Dial and ListenPacket are net's own unless set: a controller on another network.
	Dial         func(ctx context.Context, network, address string) (net.Conn, error)
	ListenPacket func(network, address string) (net.PacketConn, error)

	public ed25519.PublicKey
	key    ed25519.PrivateKey

	mu   sync.Mutex
	home map[string]Accessory // by its identifier
}

// Accessory is one that a controller is paired with.
type Accessory struct {
	ID  string // AA:BB:CC:DD:EE:FF
	Key ed25519.PublicKey
}

// New makes a controller that is paired with nobody.
func New(name string) *Controller {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic("controller: no random numbers: " + err.Error()) // the kernel's never end
	}
	return &Controller{Name: name, Dial: (&net.Dialer{}).DialContext, ListenPacket: net.ListenPacket, public: public, key: key, home: map[string]Accessory{}}
}

// On is another device of the same person: the same name, key and home, reached by
// another way.
func (c *Controller) On(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Controller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Controller{Name: c.Name, Dial: dial, ListenPacket: c.ListenPacket, public: c.public, key: c.key, home: maps.Clone(c.home)}
}

// Key is its public key, which an admin gives to an accessory.
func (c *Controller) Key() ed25519.PublicKey { return c.public }

// Know makes it know an accessory that an admin has told of it.
func (c *Controller) Know(a Accessory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.home[a.ID] = a
}

// Knows gives the accessory of that identifier.
func (c *Controller) Knows(id string) (Accessory, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.home[id]
	return a, ok
}

// Pair makes it an admin of the accessory at the address, by the code XXX-XX-XXX.
func (c *Controller) Pair(ctx context.Context, address, code string) (Accessory, error) {
	x, err := c.Open(ctx, address)
	if err != nil {
		return Accessory{}, err
	}
	defer x.Close()
	return x.Pair(ctx, code)
}

// Verify connects to the accessory at the address, which must be a known one.
func (c *Controller) Verify(ctx context.Context, address string) (*Conn, error) {
	x, err := c.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := x.Verify(ctx); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// Open connects and says nothing yet.
func (c *Controller) Open(ctx context.Context, address string) (*Conn, error) {
	conn, err := c.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("controller %s: %w", c.Name, err)
	}
	return newConn(c, conn), nil
}
